// What an entry of the access log records, in a sentence for people: docs/protocol.md 6.3.
import { line } from '../../setup/problem.js';

const deeds = {
  view: ['watch', 'watching', 'watched'], listen: ['listen', 'listening', 'listened'], talk: ['talk', 'talking', 'talked'], snapshot: ['take pictures', 'taking pictures', 'took pictures'],
  events: ['see who rang', 'seeing who rang', 'saw who rang'], settings: ['change settings', 'changing settings', 'changed settings'], members: ['add people', 'adding people', 'added people'],
  update: ['update the camera', 'updating the camera', 'updated the camera'], audit: ['read the history', 'reading the history', 'read the history'],
};
const everything = Object.keys(deeds).length;

const own = (table, key) => (Object.hasOwn(table, key) ? table[key] : undefined);

function list(all) {
  return all.length < 2 ? all.join('') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}

function may(scopes) {
  if (scopes.length === everything) return 'do everything';
  return list(scopes.map((s) => own(deeds, s)?.[0] ?? `“${line(s)}”`)) || 'do nothing';
}

const doing = (scopes) => list(scopes.map((s) => own(deeds, s)?.[1] ?? `“${line(s)}”`)) || 'watching or listening';

const did = (scopes) => list(scopes.map((s) => own(deeds, s)?.[2] ?? `used “${line(s)}”`)) || 'watched or listened';

// quoted keeps what a person chose from reading like a sentence of the camera's.
function quoted(name) {
  if (/^[\p{L}\p{M}\p{N}'’-]+$/u.test(name)) return name;
  return `“${line(name).replaceAll(/["“”„«»‹›]/g, '\'')}”`;
}

const called = (name, client) => (name ? quoted(name) : `A member without a name (${line(client).slice(0, 8)})`);

const who = (e) => (e.who ? called(e.name, e.who) : e.net === 'local' ? 'Someone at the camera' : 'The camera');

const reasons = {
  'ice failed': 'the connection was lost', 'viewer silent': 'the connection was lost', 'right ended': 'the right to it ended', shutdown: 'the camera stopped',
  'media failed': 'sending failed', 'light failed': 'the camera\'s light failed', 'no key frame': 'the camera had no picture',
  'nobody spoke': 'nobody spoke for a minute', 'ended at the camera': 'someone at the camera ended it', 'speaker failed': 'the camera\'s speaker failed', 'session ended': 'the picture ended',
  no_light: 'the camera\'s light does not work', no_speaker: 'the camera\'s speaker does not work', no_chime: 'the camera could not announce it',
  someone_speaks: 'someone else was speaking', quiet_hours: 'it was in the quiet hours', not_accepted: 'nobody in the room accepted it',
  blocked: 'someone at the camera ended talk', cancelled: 'they ended it before it began', no_session: 'the picture had ended', scope_missing: 'the right to it is missing',
  outside_schedule: 'it was outside the allowed hours', expired: 'the right to it has ended', revoked: 'the right to it was taken away',
  suspended: 'guests are suspended until an owner uses the camera', privacy: 'privacy mode was on', clock_unknown: 'the camera does not know the time',
  at_device: 'only someone at the camera may do it', storage: 'the history could not be written', too_many_sessions: 'too many were watching',
  too_many_own: 'it was open in too many places', no_media: 'the camera had no picture or sound', codec: 'the viewer can\'t show this video',
  busy: 'the camera was busy or stopping', internal: 'something failed inside the camera', bad_request: 'the request was not understood',
};

const because = (reason) => own(reasons, reason) ?? line(reason);

// Reasons of an end that came before anything was seen or heard.
const never = new Set(['bad_request', 'too_many_sessions', 'too_many_own', 'no_media', 'codec', 'busy', 'internal', 'no_light']);
const unheard = new Set(['no_speaker', 'no_chime', 'someone_speaks', 'not_accepted', 'blocked', 'no_session', 'cancelled', ...never]);

// Reasons of an end that may have come before or after something was heard: a right ended.
const withdrawn = new Set(['scope_missing', 'outside_schedule', 'expired', 'revoked', 'suspended', 'privacy', 'clock_unknown', 'quiet_hours']);

const asked = {
  members: 'see the members', grant: 'add someone', revoke: 'remove someone', 'settings.get': 'see the settings', 'settings.set': 'change settings',
  privacy: 'switch privacy mode', log: 'read the history', update: 'update the camera', certificate: 'change the camera\'s certificate', wifi: 'change the camera\'s Wi-Fi', push: 'get notices through a push service',
};

const settings = {
  name: (v) => `named the camera ${quoted(v)}`,
  time_zone: (v) => `set the time zone to ${line(v)}`,
  privacy_off: (v) => (v === 'members' ? 'let owners switch privacy mode off' : 'had privacy mode switched off at the camera only'),
  quiet_hours: (v) => (v ? `set quiet hours to ${line(v)}` : 'ended the quiet hours'),
  talk: (v) => (v === 'accepted' ? 'had the room accept each talk' : 'had talks announced only'),
  update_hours: (v) => (v ? `set the hours for updates to ${line(v)}` : 'let updates come at any time'),
  push: (v) => (v === 'on' ? 'had notices pushed to browsers' : 'stopped pushing notices to browsers'),
  set_up: () => 'changed how the camera reaches its network',
};

function changed(set) {
  return list(set.map((s) => {
    const at = s.indexOf('=');
    return own(settings, s.slice(0, at))?.(s.slice(at + 1)) ?? `set ${line(s)}`;
  })) || 'changed settings';
}

const steps = {
  available: 'was found and will be installed', installing: 'is being installed', installed: 'is installed and runs after the next start',
  restarting: 'is being started', confirmed: 'runs and stays', failed: 'did not work, and the version before it runs',
  undecided: 'could not prove itself and will be tried again', refused: 'was refused', fork: 'is not the one that others were shown',
};

function updated(e, zone) {
  const version = e.ver ? `Version ${line(e.ver)}` : 'An update';
  const why = e.why ? `: ${line(e.why)}` : '';
  if (e.step === 'asked') return `${who(e)} asked for ${e.ver ? `version ${line(e.ver)}` : 'an update'} at once.`;
  if (e.step === 'postponed') return e.exp ? `${who(e)} put the update off until ${moment(e.exp, zone)}.` : `${who(e)} no longer puts the update off.`;
  return `${version} ${own(steps, e.step) ?? line(e.step)}${why}.`;
}

/** moment writes a point in time, in Unix seconds, by the household's clock. */
export function moment(seconds, zone) {
  const options = { dateStyle: 'medium', timeStyle: 'short' };
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) return 'a time that is none';
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone }).format(at);
  } catch {
    return new Intl.DateTimeFormat('en-GB', options).format(at); // a zone that this browser does not know
  }
}

function granted(e, zone) {
  const times = [e.weekly && line(e.weekly), e.nbf && `from ${moment(e.nbf, zone)}`, e.exp && `until ${moment(e.exp, zone)}`].filter(Boolean);
  return `${who(e)} added ${called(e.sname, e.sub)} as ${line(e.role)}: may ${may(e.sc)}${times.map((t) => `; ${t}`).join('')}.`;
}

function revoked(e) {
  const subject = called(e.sname, e.sub);
  if (e.ref) return `${subject} was removed, too, as a guest of who was removed.`;
  const stays = e.keep ? '; the guests stay' : '';
  return e.who && e.who === e.sub ? `${subject} left${stays}.` : `${who(e)} removed ${subject}${stays}.`;
}

function notDone(e) {
  switch (e.op) {
    case 'certificate': return 'The camera could not keep its new certificate, and still uses the one before.';
    case 'wifi': return 'The new Wi-Fi network did not work, and the camera went back to the one before.';
  }
  return `${who(e)} had asked for something that was not done: the camera could not do it.`;
}

// outcome is what came of something that ended, where that says more than how long it lasted.
function outcome(e) {
  if (e.op === 'talk' && unheard.has(e.why)) return `${who(e)} was not heard: ${because(e.why)}.`;
  if (e.op === 'snapshot') return e.why === 'ok' ? `${who(e)} got a picture.` : `${who(e)} got no picture: ${because(e.why)}.`;
  if (never.has(e.why)) return `${who(e)} got nothing to see or hear: ${because(e.why)}.`;
  return undefined;
}

const cut = (e) => e.op === 'talk' && withdrawn.has(e.why);

function ended(e) {
  if (e.why === 'not applied') return notDone(e);
  if (cut(e)) return `${who(e)} was no longer allowed to talk: ${because(e.why)}.`;
  const what = e.op === 'talk' ? 'talking' : doing(e.sc);
  return outcome(e) ?? `${who(e)} stopped ${what}${e.why === 'bye' ? '' : `: ${because(e.why)}`}.`;
}

/**
 * partOf returns what one sentence about the whole of something is made of, if an entry is its
 * beginning or its end. Of a beginning it is did. Of an end it is ends, the number of the
 * beginning, with whole, the sentence, or because, which may be empty.
 * @returns {{did?: string, ends?: number, whole?: string, because?: string}}
 */
export function partOf(e) {
  switch (e.k) {
    case 'live': return { did: `${who(e)} ${did(e.sc)}` };
    case 'talk': return { did: `${who(e)} talked` };
    case 'snapshot': return { did: `${who(e)} took a picture` };
    case 'end': break;
    default: return {};
  }
  if (!e.ref || !['live', 'talk', 'snapshot'].includes(e.op)) return {};
  const whole = cut(e) ? `${who(e)} began to talk, and then was no longer allowed to: ${because(e.why)}.` : outcome(e);
  return { ends: e.ref, whole, because: e.why === 'bye' ? '' : because(e.why) };
}

function refused(e) {
  const what = own(asked, e.op) ?? may(e.sc);
  return `${who(e)} was not allowed to ${what}: ${because(e.code)}.`;
}

const dropped = (e) => Object.values(typeof e.drops === 'object' && e.drops !== null ? e.drops : {}).reduce((n, v) => n + (Number.isSafeInteger(v) ? v : 0), 0);

const sentences = {
  epoch: (e) => `A new household began: ${line(e.why)}.`,
  pair: (e) => `${who(e)} paired at the camera and became ${line(e.role)}.`,
  live: (e) => `${who(e)} began to ${may(e.sc)}.`,
  talk: (e) => `${who(e)} began to talk.`,
  snapshot: (e) => `${who(e)} asked for a picture.`,
  ring: () => 'Someone rang the bell.',
  end: ended,
  grant: granted,
  revoke: revoked,
  settings: (e) => `${who(e)} ${changed(e.set)}.`,
  privacy: (e) => `${who(e)} switched privacy mode ${e.why === 'on' ? 'on' : 'off'}.`,
  evict: (e) => `${who(e)} removed everyone; all have to pair again.`,
  reset: (e) => `${who(e)} wiped the camera.`,
  alarm: (e) => `Alarm: ${who(e)} was shown histories that contradict each other.`,
  rollback: (e) => `Alarm: ${who(e)} has seen entries that the camera has lost. Its storage was put back to an earlier state, or copied.`,
  update: updated,
  certificate: (e, zone) => `${e.who ? `${who(e)} gave the camera another certificate` : 'The camera renewed its certificate'} for its broker, good until ${moment(e.exp, zone)}.`,
  refused,
  hostile: (e) => `The camera dropped ${dropped(e) || 'some'} messages that it could not trust.`,
  merged: (e, zone) => `${who(e)} began ${e.cnt} times to ${may(e.sc)} for a few seconds, between ${moment(e.nbf, zone)} and ${moment(e.exp, zone)}.`,
};

/** tell says in one sentence what an entry records, without its time. */
export function tell(e, zone) {
  const sentence = own(sentences, e.k);
  return sentence ? sentence(e, zone) : `${who(e)}: “${line(e.k)}”, which this page does not know.`;
}

// Entries of the access log: docs/protocol.md 6.1 to 6.3, and whether one says what was asked
// for (6.8).
import { json } from '../../setup/bytes.js';
import { readKeyCard } from './keys.js';
import { canonical } from './weekly.js';

const longest = 1024; // bytes, and so at most as many characters

const texts = ['k', 'who', 'name', 'role', 'op', 'net', 'sid', 'why', 'code', 'sub', 'sname', 'weekly', 'jws', 'step', 'ver'];
const numbers = ['t', 'ep', 'ref', 'nbf', 'exp', 'last', 'cnt'];

/** readEntry reads the text of an entry. What is absent in it is '', 0 or []. */
export function readEntry(text) {
  if (typeof text !== 'string' || text.length > longest) throw new Error('not an entry');
  const e = json(text);
  if (e.v !== 1 || typeof e.k !== 'string') throw new Error('an entry of another version');
  for (const name of texts) if (typeof (e[name] ??= '') !== 'string') throw new Error(`${name} is no text`);
  for (const name of numbers) if (!Number.isSafeInteger(e[name] ??= 0)) throw new Error(`${name} is no number`);
  for (const name of ['sc', 'set']) {
    if (!Array.isArray(e[name] ??= []) || !e[name].every((s) => typeof s === 'string')) throw new Error(`${name} is no list`);
  }
  return e;
}

// kinds are the entries that operations make.
const kinds = {
  live: 'live', talk: 'talk', snapshot: 'snapshot', grant: 'grant', revoke: 'revoke',
  'settings.set': 'settings', privacy: 'privacy', alarm: 'alarm', update: 'update',
};

const steps = { install: 'asked', postpone: 'postponed' };

/** entered reports whether an answer says that something was done that must be in the log. */
export function entered({ op, body }, answer) {
  switch (op) {
    case 'privacy': return false; // it may have been so before
    case 'revoke': return answer.body?.revoked?.length !== 0;
    case 'update': return Object.hasOwn(steps, body.do);
  }
  return Object.hasOwn(kinds, op);
}

const chosen = ['name', 'time_zone', 'privacy_off', 'quiet_hours', 'talk', 'update_hours', 'push'];

const equal = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/**
 * asAsked throws if an entry is not what a request asked for. sent are the SHA-256 of the
 * signed request, one for each time that it was sent.
 */
export async function asAsked({ op, sid = '', body }, e, code, sent) {
  const says = async () => {
    switch (e.k) {
      case 'live': return equal(e.sc, body.scopes);
      case 'talk':
      case 'snapshot': return equal(e.sc, [e.k]);
      case 'privacy': return e.why === (body.on ? 'on' : 'off');
      case 'revoke': return e.sub === body.client && (!e.keep || body.keep_guests === true);
      case 'settings': return equal(e.set, chosen.filter((k) => body[k] !== undefined).map((k) => `${k}=${body[k]}`));
      case 'update': return e.step === steps[body.do] && e.exp === (body.until ?? 0);
      case 'grant': return granted(body, e, sent);
    }
    return true;
  };
  if (code === 'ok' && e.k !== kinds[op]) throw new Error(`the entry is of kind ${e.k}`);
  if (e.sid !== sid || e.op !== '' && e.op !== op || !await says()) throw new Error(`the entry of ${op} says something else`);
}

async function granted({ card, name, role, scopes, weekly = '', nbf = 0, exp = 0 }, e, sent) {
  const to = await readKeyCard(card);
  return equal([e.sub, e.sname, e.role, e.sc, e.weekly, e.nbf, e.exp], [to.name, name, role, scopes, canonical(weekly), nbf, exp]) && sent.includes(e.jws);
}

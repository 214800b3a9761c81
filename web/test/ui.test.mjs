// What the page's screens compute: weekly hours, codes in parts, addresses. node --test test/
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ofMilliseconds, ofSeconds } from '../src/core/dates.js';
import { readEntry } from '../src/core/entries.js';
import { partOf, tell } from '../src/core/history.js';
import { mayRevoke } from '../src/ui/household.js';
import { read, write } from '../src/ui/hours.js';
import { Collector, parts } from '../src/ui/parts.js';
import { Reading } from '../src/ui/reading.js';
import { largest, record } from '../src/ui/recording.js';
import { parse, to } from '../src/ui/route.js';
import { rightsOf, weeklyWords, whenOf } from '../src/ui/rights.js';
import { during, olderThan, story } from '../src/ui/story.js';
import { day as dayName, endOf, lasted } from '../src/ui/time.js';
import { words } from '../src/ui/words.js';
import { until } from './rig.mjs';

const day = (from, to) => ({ from, to });

test('weekly hours are read into a table and written back', () => {
  const none = null;
  for (const [weekly, table, back = weekly] of [
    ['Mo-We 08:00-17:00', [day('08:00', '17:00'), day('08:00', '17:00'), day('08:00', '17:00'), none, none, none, none], 'Mo,Tu,We 08:00-17:00'],
    ['We,Sa 10:00-24:00', [none, none, day('10:00', '24:00'), none, none, day('10:00', '24:00'), none]],
    ['Sa-Mo 22:00-06:00', [day('22:00', '06:00'), none, none, none, none, day('22:00', '06:00'), day('22:00', '06:00')], 'Mo,Sa,Su 22:00-06:00'],
    ['08:00-09:00', Array(7).fill(day('08:00', '09:00')), 'Mo,Tu,We,Th,Fr,Sa,Su 08:00-09:00'],
    ['Mo 08:00-12:00; Tu 13:00-17:00', [day('08:00', '12:00'), day('13:00', '17:00'), none, none, none, none, none]],
    ['', Array(7).fill(none)],
  ]) {
    assert.deepEqual(read(weekly), table, weekly);
    assert.equal(write(table), back);
  }
});

test('hours that the table can\'t show are not shown as others', () => {
  for (const weekly of ['Mo 08:00-10:00; Mo 12:00-14:00', 'Xx 08:00-10:00', 'Mo 8-10', 'constructor 08:00-10:00', 'Mo-Xx 08:00-10:00']) assert.equal(read(weekly), null, weekly);
});

test('an end at midnight is the end of the day', () => {
  assert.equal(write([day('20:00', '00:00'), ...Array(6).fill(null)]), 'Mo 20:00-24:00');
});

test('a long text goes over in parts, in any order', () => {
  const card = Array.from({ length: 3000 }, (_, i) => String.fromCharCode(97 + i * 7 % 26)).join('');
  const cut = parts(card), collector = new Collector();
  assert.ok(cut.length > 1);
  const got = [...cut.slice(1).reverse(), cut[1], cut[0]].map((p) => collector.add(p));
  assert.deepEqual(got.slice(0, -1), Array(got.length - 1).fill(undefined));
  assert.equal(got.at(-1), card);
  assert.deepEqual(parts('short'), ['short']);
  assert.equal(new Collector().add('short'), 'short');
});

test('parts of two texts are not mixed, and what is no part is dropped', () => {
  const [one, two] = ['a', 'b'].map((c) => parts(c.repeat(900)));
  const collector = new Collector();
  assert.equal(collector.add(one[0]), undefined);
  assert.equal(collector.add(two[1]), undefined);
  assert.equal(collector.add(one[1]), undefined);
  assert.equal(collector.add(one[0]), 'a'.repeat(900));
  for (const bad of ['CAMD-PART:1?0/2/aaaaaaaa/x', 'CAMD-PART:1?3/2/aaaaaaaa/x', 'CAMD-PART:1?1/99/aaaaaaaa/x', 'CAMD-PART:2?1/2/aaaaaaaa/x', 'CAMD-PART:1?1/1/aaaaaaaa/x']) {
    assert.equal(new Collector().add(bad), undefined, bad);
  }
});

// entryOf is an entry as core gives it, out of what the camera's log has.
function entryOf(n, seconds, log) {
  const e = readEntry(JSON.stringify({ v: 1, who: log.k === 'ring' ? undefined : 'ben', name: 'Ben', t: 1e12 + seconds * 1000, ...log }));
  return { n, time: ofMilliseconds(e.t), kind: e.k, op: e.op || undefined, who: e.who || undefined, sentence: tell(e, 'UTC'), ...partOf(e) };
}

test('what began and ended is one line, whoever ended it and however', () => {
  const live = { k: 'live', op: 'live', sc: ['view', 'listen'] }, talk = { k: 'talk', op: 'talk', sc: ['talk'] }, picture = { k: 'snapshot', op: 'snapshot', sc: ['snapshot'] };
  for (const [begin, why, line] of [
    [live, undefined, 'Ben began to watch and listen.'], // under way, or the camera lost its power
    [live, 'bye', 'Ben watched and listened for 6 seconds.'],
    [live, 'ice failed', 'Ben watched and listened for 6 seconds: the connection was lost.'],
    [live, 'shutdown', 'Ben watched and listened for 6 seconds: the camera stopped.'],
    [live, 'privacy', 'Ben watched and listened for 6 seconds: privacy mode was on.'],
    [live, 'revoked', 'Ben watched and listened for 6 seconds: the right to it was taken away.'],
    [live, 'something new', 'Ben watched and listened for 6 seconds: something new.'],
    [live, 'too_many_sessions', 'Ben got nothing to see or hear: too many were watching.'],
    [{ ...live, sc: ['listen'] }, 'bye', 'Ben listened for 6 seconds.'],
    [talk, undefined, 'Ben began to talk.'],
    [talk, 'bye', 'Ben talked for 6 seconds.'],
    [talk, 'nobody spoke', 'Ben talked for 6 seconds: nobody spoke for a minute.'],
    [talk, 'ended at the camera', 'Ben talked for 6 seconds: someone at the camera ended it.'],
    [talk, 'session ended', 'Ben talked for 6 seconds: the picture ended.'],
    [talk, 'privacy', 'Ben began to talk, and then was no longer allowed to: privacy mode was on.'], // perhaps before the room heard anything
    [talk, 'revoked', 'Ben began to talk, and then was no longer allowed to: the right to it was taken away.'],
    [talk, 'not_accepted', 'Ben was not heard: nobody in the room accepted it.'],
    [talk, 'cancelled', 'Ben was not heard: they ended it before it began.'],
    [picture, undefined, 'Ben asked for a picture.'],
    [picture, 'ok', 'Ben got a picture.'],
    [picture, 'no_media', 'Ben got no picture: the camera had no picture or sound.'],
  ]) {
    const entries = [entryOf(3, 0, begin), entryOf(4, 2, { k: 'ring' })];
    if (why) entries.push(entryOf(5, 6, { k: 'end', op: begin.op, ref: 3, why }));
    assert.deepEqual(story(entries).map(during), [line, 'Someone rang the bell.'], `${begin.k} ${why}`);
  }
});

test('an end stands alone where it is not the end of what is shown', () => {
  const begin = entryOf(3, 0, { k: 'live', op: 'live', sc: ['view'] }), end = { k: 'end', op: 'live', ref: 3, why: 'bye' };
  const stopped = 'Ben stopped watching or listening.';
  const lines = (...entries) => story(entries).map(during);
  assert.deepEqual(lines(entryOf(9, 6, end)), [stopped]); // the beginning is on an older page
  assert.deepEqual(lines(begin, entryOf(4, 6, { ...end, op: 'talk' })), ['Ben began to watch.', 'Ben stopped talking.']);
  assert.deepEqual(lines(begin, entryOf(4, 6, { ...end, who: 'eve', name: 'Eve' })), ['Ben began to watch.', 'Eve stopped watching or listening.']);
  assert.deepEqual(lines(begin, entryOf(4, 6, end), entryOf(5, 7, end)), ['Ben watched for 6 seconds.', stopped]);
  assert.deepEqual(lines(begin, entryOf(4, -60, end)), ['Ben watched.']); // the camera's clock was set meanwhile
  const change = entryOf(3, 0, { k: 'settings', set: ['quiet_hours='] });
  assert.deepEqual(lines(change, entryOf(4, 1, { k: 'end', ref: 3, why: 'not applied' })), ['Ben ended the quiet hours.', 'Ben had asked for something that was not done: the camera could not do it.']);
});

test('what the camera no longer keeps is one line', () => {
  const dropped = (n) => ({ n, kind: 'dropped', sentence: 'one' });
  assert.deepEqual(story([dropped(1)]).map(during), ['one']);
  assert.deepEqual(story([dropped(1), entryOf(2, 0, { k: 'ring' }), dropped(3), dropped(4)]).map(during), ['Someone rang the bell.', 'The camera no longer keeps what 3 entries said.']);
});

test('what a hostile camera says of a member is shown as it is, or not at all', () => {
  for (const word of ['constructor', '__proto__', 'toString', '']) {
    assert.equal(rightsOf({ role: word, scopes: [word] }), `may ${word}`);
    assert.equal(weeklyWords(word), word);
  }
  assert.equal(rightsOf({ role: 'guest', scopes: ['view', 'listen'] }), 'may watch and listen');
  assert.equal(rightsOf({ role: 'guest', scopes: ['view'] }), 'may watch');
  assert.equal(rightsOf({ role: 'owner', scopes: [] }), 'may do everything');
  assert.deepEqual(whenOf({ weekly: 'Mo-Fr 08:00-17:00' }), ['Mon–Fri 08:00–17:00']);
});

test('a time that no clock shows is none', () => {
  for (const n of [0, -1, 8.64e15 + 1, 2 ** 53, Infinity, NaN, 'x', {}, null, undefined]) assert.equal(ofMilliseconds(n), undefined, String(n));
  assert.equal(ofSeconds(1).getTime(), 1000);
});

test('times are in words', () => {
  assert.deepEqual([0, 40e3, 60e3, 5 * 60e3, 3600e3, 2 * 3600e3 + 60e3].map(lasted), ['for a second', 'for 40 seconds', 'for a minute', 'for 5 minutes', 'for an hour', 'for 2 hours and a minute']);
  const noon = Date.UTC(2026, 10, 30, 12);
  assert.equal(dayName(noon, 'UTC', noon), 'Today');
  assert.equal(dayName(noon - 24 * 3600e3, 'UTC', noon), 'Yesterday');
  assert.equal(dayName(noon, 'Pacific/Auckland', noon - 24 * 3600e3), 'Tuesday, December 1'); // it is tomorrow there
});

test('a last day ends by the clock of the household', () => {
  for (const [zone, want] of [
    ['UTC', '2026-11-30T23:59:59.000Z'], ['Europe/Berlin', '2026-11-30T22:59:59.000Z'], ['America/New_York', '2026-12-01T04:59:59.000Z'],
    ['Pacific/Auckland', '2026-11-30T10:59:59.000Z'], ['Asia/Kolkata', '2026-11-30T18:29:59.000Z'],
  ]) assert.equal(endOf('2026-11-30', zone).toISOString(), want, zone);
  assert.equal(endOf('2026-10-25', 'Europe/Berlin').toISOString(), '2026-10-25T22:59:59.000Z'); // the clock is put back on this day
});

test('addresses lead to screens, and nothing else to any', () => {
  assert.deepEqual(parse('#card=abc.def'), { screen: 'add', card: 'abc.def' });
  assert.deepEqual(parse(to('door', 'member', 'a/b')), { screen: 'member', device: 'door', argument: 'a/b' });
  assert.deepEqual(parse('#/camera/door/constructor'), { screen: 'live', device: 'door', argument: undefined });
  for (const fragment of ['', '#', '#/constructor', '#/%', '#/camera/', '#/camera']) assert.equal(parse(fragment).screen, 'home', fragment);
});

test('only what the camera would do is offered', () => {
  const owner = { client: 'o', role: 'owner', scopes: ['members'] }, adult = { client: 'a', role: 'adult', scopes: ['members'] };
  const guest = { client: 'g', role: 'guest', scopes: ['view'], parent: 'a' };
  const as = (self, member) => mayRevoke([owner, adult, guest].map((m) => ({ ...m, own: m === self })), { ...member, own: member === self });
  assert.deepEqual([as(owner, owner), as(owner, adult), as(owner, guest)], [false, true, true]); // the last owner stays
  assert.deepEqual([as(adult, owner), as(adult, adult), as(adult, guest)], [false, true, true]);
  assert.deepEqual([as(guest, owner), as(guest, adult), as(guest, guest)], [false, false, true]);
});

// Screen is as much of a View and of its camera as a Reading sees. Its readings wait in asked.
class Screen {
  asked = [];
  said = [];
  isConnected = true;
  camera = Object.assign(new EventTarget(), { state: { link: 'connecting' } });

  constructor(how) { this.reading = new Reading(this, () => new Promise((resolve, reject) => { this.asked.push({ resolve, reject }); }), how); }

  addController(controller) { this.controller = controller; }

  attempt(what, work) {
    this.said.push(what);
    return work().catch(() => {});
  }

  // answer has the camera answer the oldest reading, or fail it.
  async answer(ok = true) {
    const { resolve, reject } = this.asked.shift();
    (ok ? resolve : reject)(new Error('no answer'));
    await new Promise((done) => { setTimeout(done); });
  }

  is(state) {
    Object.assign(this.camera.state, state);
    this.camera.dispatchEvent(new Event('change'));
  }
}

test('a screen that was opened while the camera was away reads when it is back', async () => {
  const screen = new Screen({ what: 'Reading…' });
  screen.controller.hostConnected();
  await screen.answer(false);
  screen.is({ link: 'offline' });
  assert.equal(screen.asked.length, 0);
  screen.is({ link: 'online' });
  assert.equal(screen.asked.length, 1);
  await screen.answer();
  screen.is({ link: 'online' });
  assert.equal(screen.asked.length, 0); // nothing has happened since
  screen.is({ link: 'connecting' });
  screen.is({ link: 'online' });
  assert.equal(screen.asked.length, 1); // it may have changed meanwhile
  assert.deepEqual(screen.said, ['Reading…', '', '']); // there is something to see since the first
});

test('a reading that is under way when the camera comes is not made twice, unless it fails', async () => {
  for (const ok of [true, false]) {
    const screen = new Screen();
    screen.controller.hostConnected();
    screen.is({ link: 'online' });
    assert.equal(screen.asked.length, 1);
    await screen.answer(ok);
    assert.equal(screen.asked.length, ok ? 0 : 1);
    if (ok) continue;
    await screen.answer(false); // this one says why, and is the last
    assert.equal(screen.asked.length, 0);
  }
});

test('a screen reads again when an alarm begins or ends, and with another camera', async () => {
  const screen = new Screen();
  screen.controller.hostConnected();
  await screen.answer();
  for (const alarm of [{ kind: 'fork' }, undefined]) {
    screen.is({ link: 'online', alarm });
    assert.equal(screen.asked.length, 1);
    await screen.answer();
  }
  const { camera } = screen;
  screen.camera = Object.assign(new EventTarget(), { state: { link: 'online' } });
  screen.controller.hostUpdate();
  await screen.answer();
  camera.state.alarm = {};
  camera.dispatchEvent(new Event('change')); // nobody looks at it any more
  screen.controller.hostDisconnected();
  screen.is({ link: 'offline' });
  screen.is({ link: 'online' });
  assert.equal(screen.asked.length, 0);
});

test('a screen that shows entries reads with each, and once more after one that comes meanwhile', async () => {
  for (const [entries, want] of [[true, 1], [false, 0]]) {
    const screen = new Screen({ entries, quiet: true });
    screen.controller.hostConnected();
    for (let i = 0; i < 3; i++) screen.camera.dispatchEvent(new Event('entry'));
    assert.equal(screen.asked.length, 1);
    await screen.answer(false);
    assert.equal(screen.asked.length, want);
    if (!entries) continue;
    await screen.answer();
    assert.equal(screen.asked.length, 0);
    screen.camera.dispatchEvent(new Event('entry'));
    assert.equal(screen.asked.length, 1);
    assert.deepEqual(screen.said, []);
  }
});

test('what is shown of the history is said', () => {
  const { shown } = words.history;
  assert.equal(shown(11, 11, 11), '');
  assert.equal(shown(7, 11, 11), 'A beginning and its end are one line.');
  assert.equal(shown(100, 100, 240), 'Below are the newest 100.');
  assert.equal(shown(60, 100, 240), 'Below are the newest 100. A beginning and its end are one line.');
});

test('older entries stay above the newest, where none between them is missing', () => {
  const entries = (from, to) => Array.from({ length: to - from }, (_, i) => ({ n: from + i }));
  const log = (from, to, verified = true) => ({ entries: entries(from, to), verified });
  const older = (now, had, before) => olderThan(now, had, before).map((e) => e.n);
  assert.deepEqual(older(log(5, 9), entries(2, 8), log(4, 8)), [2, 3, 4]);
  assert.deepEqual(older(log(9, 12), entries(2, 8), log(4, 8)), []); // 8 may be missing
  assert.deepEqual(older(log(5, 9, false), entries(2, 8), log(4, 8)), []);
  assert.deepEqual(older(log(5, 9), entries(2, 8), log(4, 8, false)), []);
  assert.deepEqual(older(log(5, 9)), []);
  assert.deepEqual(older(log(0, 0), [], log(0, 0)), []);
});

test('nobody is told to scan where the browser can not', () => {
  for (const text of [words.invite.steps('x', false)[1], words.setup.labelHint(false), words.welcome.cardHelp(false)]) assert.doesNotMatch(text, /scan|QR/i);
  for (const text of [words.invite.steps('x', true)[1], words.setup.labelHint(true), words.welcome.cardHelp(true)]) assert.match(text, /scan|QR/i);
});

test('a recording ends by itself when it is as large as it may be, and is kept', async () => {
  class MediaRecorder extends EventTarget {
    static made = [];
    static isTypeSupported = (kind) => kind === 'video/webm';
    state = 'inactive';

    constructor(stream, options) {
      super();
      Object.assign(this, { stream, options });
      MediaRecorder.made.push(this);
    }

    start() { this.state = 'recording'; }

    stop() {
      this.state = 'inactive';
      this.gives(new Blob(['end']));
      this.dispatchEvent(new Event('stop'));
    }

    gives(data) { this.dispatchEvent(Object.assign(new Event('dataavailable'), { data })); }
  }
  assert.equal(record({}, () => {}), undefined); // a browser that can't
  globalThis.MediaRecorder = MediaRecorder;
  try {
    const files = [];
    const { stop } = record({}, (file, full) => files.push({ file, full }));
    MediaRecorder.made[0].gives(new Blob(['picture']));
    stop();
    stop();
    assert.deepEqual([files.length, await files[0].file.text(), files[0].file.type, files[0].full], [1, 'pictureend', 'video/webm', false]);
    const large = new Blob(['picture']);
    Object.defineProperty(large, 'size', { value: largest });
    record({}, (file, full) => files.push({ file, full }));
    MediaRecorder.made[1].gives(large);
    await until('the end', () => files.length === 2);
    assert.deepEqual([await files[1].file.text(), files[1].full], ['pictureend', true]);
  } finally {
    delete globalThis.MediaRecorder;
  }
  assert.match(words.controls.recordedFull(largest / 1e6), /500 MB.*saved/);
});

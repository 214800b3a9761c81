// What the page's screens compute: weekly hours, codes in parts, addresses. node --test test/
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ofMilliseconds, ofSeconds } from '../src/core/dates.js';
import { mayRevoke } from '../src/ui/household.js';
import { read, write } from '../src/ui/hours.js';
import { Collector, parts } from '../src/ui/parts.js';
import { Reading } from '../src/ui/reading.js';
import { largest, record } from '../src/ui/recording.js';
import { parse, to } from '../src/ui/route.js';
import { rightsOf, weeklyWords, whenOf } from '../src/ui/rights.js';
import { during, olderThan, story } from '../src/ui/story.js';
import { day as dayName, lasted } from '../src/ui/time.js';
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

test('what began and ended is one line, and an end that says more stays', () => {
  const at = (minutes) => new Date(minutes * 60e3);
  const live = { n: 1, kind: 'live', time: at(0) }, talk = { n: 2, kind: 'talk', time: at(1) };
  const lost = { n: 3, kind: 'end', time: at(2) }, end = { n: 4, kind: 'end', ends: 1, time: at(5) };
  assert.deepEqual(story([live, talk, lost, end]), [{ ...live, until: at(5) }, talk, lost]);
  assert.deepEqual(story([end]), [end]); // what it ends is on an older page
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

test('what lasted is said in the sentence', () => {
  const entry = { sentence: 'Anna began to talk.', kind: 'talk', time: new Date(0) };
  assert.equal(during(entry), 'Anna began to talk.');
  assert.equal(during({ ...entry, until: new Date(3000) }), 'Anna began to talk, for 3 seconds.');
  assert.equal(during({ ...entry, kind: 'snapshot', until: new Date(3000) }), 'Anna began to talk.');
});

test('what is shown of the history is said', () => {
  const { shown } = words.history;
  assert.equal(shown(11, 11, 11), '');
  assert.equal(shown(7, 11, 11), 'Below are all of them, in 7 lines: a beginning and its end share one.');
  assert.equal(shown(100, 100, 240), 'Below are the newest 100.');
  assert.equal(shown(60, 100, 240), 'Below are the newest 100, in 60 lines: a beginning and its end share one.');
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

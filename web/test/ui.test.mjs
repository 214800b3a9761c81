// What the page's screens compute: weekly hours, codes in parts, addresses. node --test test/
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ofMilliseconds, ofSeconds } from '../src/core/dates.js';
import { mayRevoke } from '../src/ui/household.js';
import { read, write } from '../src/ui/hours.js';
import { Collector, parts } from '../src/ui/parts.js';
import { parse, to } from '../src/ui/route.js';
import { rightsOf, weeklyWords, whenOf } from '../src/ui/rights.js';
import { story } from '../src/ui/story.js';
import { day as dayName, lasted } from '../src/ui/time.js';

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

// What a camera's people see and ask, at a camera that may lie.
import './globals.mjs';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { base64, base64url, sha256, utf8 } from '../setup/bytes.js';
import { Problem } from '../setup/problem.js';
import { Camera } from '../src/core/camera.js';
import { readCard } from '../src/core/card.js';
import { Served, webSocket } from '../src/core/config.js';
import { Home } from '../src/core/home.js';
import { keepKeys, keyText } from '../src/core/keys.js';
import { Records } from '../src/core/records.js';
import { Memory } from '../src/core/store.js';
import { canonical, parseWeekly } from '../src/core/weekly.js';
import { closing, pairOf, until } from './rig.mjs';

const refusal = (code) => (error) => error instanceof Problem && error.code === code && error.message.endsWith('.');
const all = ['view', 'listen', 'talk', 'snapshot', 'events', 'settings', 'members', 'update', 'audit'];

const { label } = JSON.parse(readFileSync(new URL('../../pkg/auth/pairing/testdata/setup.json', import.meta.url), 'utf8'));
const demo = { pair: 'pair', label };

// household answers as a camera does.
async function household() {
  const { net, camera: device, peer, keys, store } = await pairOf();
  const entered = (entry) => { device.enter(entry); return device.entries.length - 1; };
  const members = [{ client: keys.name, name: 'Anna', role: 'owner', scopes: all, added: 1, standing: 'ok' }];
  Object.assign(device.answers, {
    status: () => ({ body: { device: peer.trio.deviceId, name: 'Door', version: '1.2', sessions: [{ client: keys.name, name: 'Anna', scopes: ['view', 'talk'], since: 5 }], conditions: [{ name: 'camera', state: 'ok', since: 1 }] } }),
    members: ({ body }) => ({ body: body.from ? { members: members.slice(1) } : { members: members.slice(0, 1), next: 1 } }),
    'settings.get': () => ({ body: { name: 'Door', time_zone: 'Europe/Berlin', privacy_off: 'members', quiet_hours: '', talk: 'announced', chosen: [] } }),
    'settings.set': (q) => ({ body: { name: q.body.name }, entry: entered({ k: 'settings', who: q.iss, set: Object.entries(q.body).map(([k, v]) => `${k}=${v}`) }) }),
    events: () => ({ body: { events: [{ n: 4, kind: 'ring', t: 1780000000000, picture: 'image/jpeg', size: 5000 }] } }),
    privacy: (q) => ({ body: { on: q.body.on }, entry: entered({ k: 'privacy', who: q.iss, why: q.body.on ? 'on' : 'off' }) }),
    log: ({ body: { from = 0 } }) => ({ body: { records: device.entries.slice(from, from + 7).map((text, i) => ({ n: from + i || undefined, text })), size: device.entries.length, next: from + 7 < device.entries.length ? from + 7 : undefined } }),
    grant: async (q, jws) => ({ body: { client: 'x' }, entry: entered({ k: 'grant', who: q.iss, sub: guest.name, sname: q.body.name, role: q.body.role, sc: q.body.scopes, weekly: canonical(q.body.weekly ?? '') || undefined, exp: q.body.exp, jws: base64url(await sha256(utf8(jws))) }) }),
    revoke: (q) => ({ body: { revoked: [q.body.client] }, entry: entered({ k: 'revoke', who: q.iss, sub: q.body.client }) }),
  });
  const guest = await keepKeys(new Memory());
  const camera = new Camera(peer, { keys, store, login: async () => ({ user: 'mia', password: 'secret' }), servers: async () => [] });
  closing.push(camera);
  await camera.members();
  return { net, device, peer, keys, store, camera, members, guest };
}

test('how a camera stands', async () => {
  const { camera, device, net, store } = await household();
  net.socket.close();
  await until('the loss', () => camera.state.link === 'connecting');
  camera.wake();
  await until('everything', () => camera.state.lastEvent && camera.state.timeZone && camera.state.watching);
  const s = camera.state;
  assert.deepEqual([s.name, s.link, s.role, s.member, s.talking, s.privacy, s.lastEvent.n, s.version], ['Door', 'online', 'owner', 'Anna', 'Anna', false, 4, '1.2']);
  await store.update('camera/abcdefghijklmnopqrstuvwxyz', () => ({ name: 'Old' }));
  device.answers['settings.get'] = () => ({ body: { name: 'Gate' } });
  await camera.settings();
  assert.equal((await store.get('camera/abcdefghijklmnopqrstuvwxyz')).name, 'Gate');
  assert.deepEqual([s.watching[0].own, s.update, s.alarm, s.unanswered], [true, undefined, undefined, []]);
  const told = [];
  camera.addEventListener('entry', ({ detail }) => told.push(detail.sentence));
  for (let i = 0; i < 5; i++) device.enter({ k: 'ring', net: 'local' });
  await device.notice(device.entries.length - 1);
  await until('the ring', () => told.length === 1);
  assert.deepEqual(told, ['Someone rang the bell.']);
  assert.equal(camera.state.lastEvent.n, device.entries.length - 1);
});

test('someone is added, reaches the camera by the card, and is removed', async () => {
  const { camera, members, guest, device } = await household();
  const key = await keyText(guest);
  await assert.rejects(camera.cardFor(key), refusal('no_member'));
  await assert.rejects(camera.cardFor(guest.name), refusal('key'));
  const { client } = await camera.grant(key, { name: 'Mia', role: 'guest', scopes: ['view'], weekly: 'Su,We 08:00-12:00', until: new Date(1800000000000) });
  assert.equal(client, guest.name);
  members.push({ client, name: 'Mia', role: 'guest', scopes: ['view'], parent: members[0].client, standing: 'privacy' });
  assert.equal(await camera.keyOf(client), `CAMD-KEY:1?${key.slice(11)}`);
  const { record, words } = await readCard(await camera.cardFor(client), guest);
  assert.deepEqual([record.member, record.broker.user, record.broker.web, words.split(' ').length], ['Mia', 'mia', 'wss://broker.example', 6]);
  assert.deepEqual((await camera.wouldFall(members[0].client)).map((m) => [m.name, m.sentence !== '']), [['Mia', true]]);
  assert.deepEqual((await camera.revoke(client)).who, [client]);
  assert.equal(device.requests.find((r) => r.op === 'grant').body.exp, 1800000000);
  assert.equal(camera.state.alarm, undefined);
  const grant = device.answers.grant;
  device.answers.grant = (q, jws) => grant({ ...q, body: { ...q.body, scopes: ['view', 'talk'] } }, jws); // more than its owner gave
  await camera.grant(key, { name: 'Mia', role: 'guest', scopes: ['view'] });
  assert.equal(camera.state.alarm.kind, 'entry');
});

test('what gives rights is asked for on what its person has seen', async () => {
  const { camera, device } = await household();
  const seen = device.entries.length;
  device.enter({ k: 'settings', who: 'x', set: ['talk=accepted'] });
  await camera.privacy(true);
  await camera.change({ name: 'Gate' });
  const sizeOf = (r) => Number(r.cp.split('\n')[1]);
  assert.equal(sizeOf(device.requests.find((r) => r.op === 'settings.set')), seen);
  await camera.change({ name: 'Gate' });
  assert.equal(sizeOf(device.requests.findLast((r) => r.op === 'settings.set')), device.entries.length - 1);
  device.answers['settings.set'] = () => ({ code: 'state_changed' });
  await assert.rejects(camera.change({ name: 'Door' }), refusal('state_changed'));
  assert.equal(camera.state.alarm, undefined);
});

test('the history is compared with what the camera signed', async () => {
  const { camera, device } = await household();
  for (let i = 0; i < 20; i++) device.enter({ k: 'ring', net: 'local' });
  const log = await camera.log({ count: 5 });
  assert.deepEqual([log.verified, log.complete, log.size, log.entries.map((e) => e.n), log.entries.every((e) => e.verified)], [true, true, 21, [16, 17, 18, 19, 20], true]);
  assert.deepEqual((await camera.log({ before: 2 })).entries.map((e) => e.sentence), ['A new household began: first start.', 'Someone rang the bell.']);
  assert.deepEqual([log.begin, (await camera.log({ before: 16, count: 16 })).begin, (await camera.log({ before: 0 })).entries], [16, 0, []]);
  device.enter({ k: 'talk', who: 'x', name: 'Eve' });
  const real = device.answers.log;
  device.answers.log = (q) => { // it hides the talk
    const a = real(q);
    a.body.records = a.body.records.map((r) => ({ ...r, text: r.text.replace('Eve', 'Anna') }));
    return a;
  };
  const forged = await camera.log();
  assert.deepEqual([forged.verified, forged.entries.some((e) => e.verified), camera.state.alarm.kind], [false, false, 'texts']);
  assert.match(camera.state.alarm.sentence, /Door sent entries .*\.$/);
  device.answers.log = real;
  device.answers['settings.set'] = () => ({ code: 'state_changed' });
  await assert.rejects(camera.change({ name: 'x' }), refusal('alarmed'));
  await camera.acknowledge();
  assert.equal((await camera.log()).verified, true);
  device.entries.length = 3; // it is put back
  await camera.members();
  assert.equal(camera.state.alarm.kind, 'rollback');
  assert.equal((await camera.log()).verified, false);
  await camera.acknowledge();
  const after = await camera.log();
  assert.deepEqual([after.verified, after.size, camera.state.alarm], [true, 3, undefined]);
});

test('a log without an end is left', async () => {
  const { camera, device } = await household();
  for (let i = 0; i < 20; i++) device.enter({ k: 'ring', net: 'local' });
  device.answers.log = ({ body: { from = 0 } }) => ({ body: { records: [], next: from + 1 } });
  assert.equal((await camera.log()).verified, false);
  assert.equal(device.requests.filter((r) => r.op === 'log').length, 2); // the first may have been too early
});

test('a log that grows while it is read is no alarm', async () => {
  const { camera, device } = await household();
  const real = device.answers.log;
  device.answers.log = (q) => {
    const a = real(q);
    device.enter({ k: 'ring', net: 'local' }); // between the page and the state that is signed with it
    device.answers.log = real;
    return a;
  };
  const log = await camera.log();
  assert.deepEqual([log.verified, log.size, camera.state.alarm], [true, 2, undefined]);
});

test('a guest sees its own entries, and whether there are older ones', async () => {
  const size = 4100, page = 512, own = [1, 3, 4098];
  const call = async (op, { from }) => ({
    now: { size },
    body: { records: own.filter((n) => n >= from && n < from + page).map((n) => ({ n, text: '{"v":1,"k":"ring"}' })), next: from + page < size ? from + page : undefined },
  });
  const records = new Records({ call, ledger: { last: { size } } }, () => 'UTC');
  const read = async (which) => {
    const { entries, begin } = await records.read({ complete: false, ...which });
    return [entries.map((e) => e.n), begin];
  };
  assert.deepEqual(await read({}), [[4098], 2052]);
  assert.deepEqual(await read({ before: 2052 }), [[1, 3], 0]); // the stretch before had none
  assert.deepEqual(await read({ before: 2052, count: 1 }), [[3], 3]);
  assert.deepEqual(await read({ before: 3, count: 1 }), [[1], 0]);
  const { verified, complete } = await records.read({ complete: false });
  assert.deepEqual([verified, complete], [true, false]);
});

test('who comes is shown as soon as the camera tells it', async () => {
  const { camera, device } = await household();
  device.answers.status = () => ({ code: 'lost' });
  camera.state.watching?.splice(0);
  device.enter({ k: 'live', who: 'mia', name: 'Mia\u202e', sc: ['view'] });
  await device.notice(device.entries.length - 1);
  await until('Mia', () => camera.state.watching?.length === 1);
  const [{ name, client, own, scopes }] = camera.state.watching;
  assert.deepEqual([name, client, own, scopes], ['Mia\\u202e', 'mia', false, ['view']]);
});

test('pictures come by parts, and only those that were asked for', async () => {
  const { camera, device } = await household();
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i);
  device.answers.snapshot = (q) => { device.enter({ k: 'snapshot', who: q.iss, sid: q.sid, sc: ['snapshot'] }); return { body: { kind: 'image/jpeg', size: 5000 }, entry: device.entries.length - 1 }; };
  const part = ({ body: { offset: o } }, more) => ({ body: { part: { kind: 'image/jpeg', size: 5000, offset: o || undefined, data: base64(bytes.subarray(o, o + 4096)), ...more } } });
  device.answers.events = (q) => part(q);
  const blob = await camera.snapshot();
  assert.deepEqual([blob.type, new Uint8Array(await blob.arrayBuffer())], ['image/jpeg', bytes]);
  for (const more of [{ kind: 'text/html' }, { size: 4999 }, { offset: 1 }, { data: '' }, { data: '!' }, { data: 7 }]) {
    device.answers.events = (q) => part(q, more);
    await assert.rejects(camera.snapshot(), refusal('garbled'));
  }
  device.answers.snapshot = () => ({ code: 'ok', body: { kind: 'text/html', size: 5 } });
  await assert.rejects(camera.snapshot(), refusal('garbled'));
  assert.equal(camera.state.alarm.kind, 'entry');
});

// Whatever a camera answers, its people get an answer or a sentence.
const hostile = [null, 7, 'text', [], {}, { members: 7, settings: 7, sessions: 7, records: 7, events: 7, next: -1, revoked: 7 },
  { members: [null, 7, {}], sessions: [null, 7, {}], conditions: [null], records: [null, 7], events: [null, {}], next: 1e300, update: 7 },
  { members: [{ client: {}, name: {}, scopes: [{}], nbf: 'x' }], sessions: [{ client: 7, since: 'x', scopes: 'x' }], records: [{ n: 'x', text: {} }], chosen: { a: 1 }, name: { toString: 7 }, size: {}, kind: {} },
  { records: [{ n: 0, hash: 'x' }], forgot: 3, peaks: ['x'], update: { state: '__proto__', percent: 'x', notes: {}, postponed: {} }, part: null, next: 0.5 }];

test('a hostile answer is an answer or a sentence', async () => {
  const { camera, device, guest } = await household();
  const asks = {
    status: () => camera.log().catch(() => {}), members: () => camera.members(), 'settings.get': () => camera.settings(), 'settings.set': () => camera.change({ name: 'x' }),
    privacy: () => camera.privacy(true), log: () => camera.log(), events: () => camera.events(), snapshot: () => camera.snapshot(), update: () => camera.updateState(),
    revoke: () => camera.revoke(guest.name),
  };
  for (const [op, ask] of Object.entries(asks)) {
    for (const body of hostile) {
      const real = device.answers[op];
      device.answers[op] = () => ({ body });
      try {
        await ask();
      } catch (error) {
        assert.ok(error instanceof Problem, `${op}: ${JSON.stringify(body)}: ${error.stack}`);
        assert.match(error.message, /\.$/);
      }
      device.answers[op] = real;
      assert.equal(typeof camera.state.name, 'string');
    }
  }
});

test('a ring that is told late does not hide a later one', async () => {
  const { camera, device } = await household();
  const told = [];
  camera.addEventListener('entry', ({ detail }) => told.push(detail.n));
  for (let i = 0; i < 2; i++) device.enter({ k: 'ring', net: 'local' });
  device.answers.events = () => ({ body: { events: [] } });
  await device.notice(2);
  await device.notice(1);
  await until('both', () => told.length === 2);
  assert.equal(camera.state.lastEvent.n, 2);
});

test('a camera card is kept once its words were compared', async () => {
  const { keys: owner, device, net } = await household();
  const store = new Memory(), served = new Served();
  const open = async (page = store) => {
    const home = await Home.open({ store: page, served, dial: net.dial });
    closing.push({ close: () => { for (const c of home.cameras) c.close(); } });
    return home;
  };
  const home = await open();
  const { makeCard } = await import('../src/core/card.js');
  const { readKey } = await import('../src/core/keys.js');
  const { encJwk } = await readKey(home.keys.text);
  const to = { encJwk, name: 'Mia', role: 'guest', camera: 'Door', login: { user: 'mia', password: 'secret' } };
  const card = await makeCard({ ...device.record, broker: { url: 'mqtts://broker.example' } }, owner, to);
  const invitation = await home.readCard(card);
  assert.deepEqual([invitation.camera, invitation.member, invitation.role, invitation.needsAddress, invitation.changes], ['Door', 'Mia', 'guest', true, []]);
  assert.equal(home.cameras.length, 0);
  await assert.rejects(home.addCard(card, { words: 'other words' }), refusal('card'));
  await assert.rejects(home.addCard(card, { words: invitation.words }), refusal('no_address'));
  await assert.rejects(home.addCard(card, { words: invitation.words, broker: 'http://x' }), refusal('config'));
  assert.equal((await store.all('camera/')).length, 0);
  const camera = await home.addCard(card, { words: invitation.words, broker: 'wss://broker.example' });
  assert.deepEqual([home.cameras.length, camera.state.name, camera.state.member], [1, 'Door', 'Mia']);
  const moves = { ...device.record, broker: { url: 'mqtts://broker.example', web: 'wss://elsewhere.example', ca: 'PEM' } };
  assert.deepEqual((await home.readCard(await makeCard(moves, owner, { ...to, name: 'Maria', login: { user: 'eve', password: 'x' } }))).changes, [
    'Your name there changes from Mia to Maria.', 'The broker\'s address for browsers changes from wss://broker.example/ to wss://elsewhere.example.',
    'Your login at the broker changes from mia to eve.', 'What proves the broker to other programs changes.']);
  for (const epoch of [0, 1.5, '1']) {
    const trio = await device.sign('camd-trio+jwt', { ...device.claims, ep: epoch }, device.identity);
    await assert.rejects(home.readCard(await makeCard({ ...device.record, epoch, trio }, owner, to)), refusal('card'), String(epoch));
  }
  const { Camera: Device } = await import('./rig.mjs');
  const stranger = await Device.make(net, owner);
  await assert.rejects(home.readCard(await makeCard(stranger.record, owner, to)), refusal('card'));
  const again = await open();
  assert.deepEqual(again.cameras.map((c) => c.device), [camera.device]);
  const other = await open(store.page()), [before] = other.cameras;
  await store.update(`camera/${camera.device}`, (r) => ({ ...r, name: 'Gate' }));
  const moved = await again.setAddress(again.cameras[0], 'wss://other.example/mqtt');
  await until('the other page follows', () => other.cameras[0] !== before);
  assert.equal(other.cameras.length, 1);
  await assert.rejects(again.setAddress(moved, 'http://x'), refusal('config'));
  await until('the other broker', () => net.sockets.filter((s) => s.url === 'wss://other.example/mqtt').length === 2);
  assert.equal(again.cameras.length, 1);
  await store.update('camera/abcdefghijklmnopqrstuvwxyz', (r) => ({ ...r, web: '' }));
  const lost = (await open()).cameras[0];
  await until('the question', () => lost.state.needsAddress);
  assert.match(lost.state.sentence, /wss:/);
  await again.forget(again.cameras[0]);
  await until('the other page', () => other.cameras.length === 0);
  assert.equal((await open()).cameras.length, 0);
  await store.update(`camera/${camera.device}`, () => ({ ...device.record, name: '' }));
  await until('the other page', () => other.cameras.length === 1);
  assert.equal(other.cameras[0].state.name, 'Camera abcdef');
  await store.update('camera/x', () => ({ device: 'x', identity: 'AA', trio: 'x', broker: {} }));
  const damaged = await open();
  assert.match(damaged.damaged[0], /damaged/);
  await until('the other page', () => /damaged/.test(other.damaged[0]));
});

test('settings of the page\'s server', async () => {
  for (const bad of ['', 'http://a', 'ws://example.org', 'wss://u:p@a', 'wss://a/#x', 'javascript:1']) assert.throws(() => webSocket(bad), refusal('config'), bad);
  for (const good of ['wss://a', 'ws://127.0.0.1:1', 'ws://localhost/x']) assert.ok(webSocket(good));
  for (const bad of [{ broker: {} }, { broker: { url: 'http://x' } }, { broker: { url: 'wss://a', login: 'https://other' } }, { demo: { pair: 'x', label: 'y' } }, { turn: '//other/x' }]) {
    assert.throws(() => new Served(bad), Problem, JSON.stringify(bad));
  }
  const settings = { broker: { url: 'mqtts://a:8883' }, wifi: { ssid: 'x' } }, told = new Served({ broker: { url: 'wss://a/mqtt' } });
  assert.deepEqual(told.told(settings), { broker: { webUrl: 'wss://a/mqtt', url: 'mqtts://a:8883' }, wifi: { ssid: 'x' } });
  for (const other of [{}, { wifi: { ssid: 'x' } }, { broker: { url: 'mqtts://b' } }, { broker: { url: 'x' } }]) assert.equal(told.told(other), other);
  for (const served of [new Served(), new Served({ broker: { url: 'ws://127.0.0.1:1' } })]) assert.equal(served.told(settings), settings);
  const asked = [];
  const get = async (url, { headers }) => { asked.push(String(url) + (headers ? ` ${headers.Authorization}` : '')); return { ok: true, json: async () => ({ user: 'a', password: 'b', uris: ['turn:x'], username: 'u', ttl: 600 }) }; };
  const served = new Served({ broker: { url: 'wss://a', login: 'login' }, turn: 'turn' }, { base: 'https://page.example/in/', get });
  assert.deepEqual(await served.login('anna'), { user: 'a', password: 'b' });
  assert.deepEqual(await served.servers({ user: 'anna', password: 'pä' }), [{ urls: ['turn:x'], username: 'u', credential: 'b' }]);
  await served.servers();
  assert.deepEqual(asked, ['https://page.example/in/login?client=anna', 'https://page.example/in/turn Basic YW5uYTpww6Q=']);
});

test('what a server that is not reached is said to be', async () => {
  const beside = { base: 'https://page.example/', get: async () => { throw new TypeError('Failed to fetch'); } }, broker = { url: 'wss://a', login: 'login' };
  await assert.rejects(new Served({ broker }, beside).login('anna'), /The server of this page can't be reached\./);
  await assert.rejects(new Served({ broker, demo }, beside).login('anna'), /The demo has ended/);
  await assert.rejects(new Served({ broker, demo }, { ...beside, get: async () => ({ ok: false, status: 403 }) }).login('anna'), /gives no login/);
});

test('the camera of an earlier demo goes with the next one', async () => {
  const { device, net } = await household();
  for (const [what, record, served, left] of [
    ['of an earlier demo', { demo: true }, { demo }, 0],
    ['of this demo', { demo: true, device: 'camdtestdevice222222222222' }, { demo }, 1],
    ['a household\'s own', {}, { demo }, 1],
    ['of a demo that is not reached now', { demo: true }, {}, 1],
  ]) {
    const store = new Memory(), all = { ...device.record, ...record };
    await store.update(`camera/${all.device}`, () => all);
    const home = await Home.open({ store, served: new Served(served), dial: net.dial });
    closing.push({ close: () => { for (const c of home.cameras) c.close(); } });
    assert.equal((await store.all('camera/')).length, left, what);
  }
});

test('a camera of the demo is one however it was added, and its pushes end with it', async () => {
  const { keys: owner, device: { record }, net } = await household();
  const { makeCard } = await import('../src/core/card.js');
  const { readKey } = await import('../src/core/keys.js');
  const store = new Memory(), gone = [];
  const { navigator } = globalThis;
  const browser = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  browser('document', { baseURI: 'https://page.example/cameras/' });
  browser('navigator', { serviceWorker: { getRegistration: async (scope) => ({ scope: scope.includes('abcdef') ? scope : document.baseURI, unregister: async () => gone.push(scope) }) } });
  const open = async (of) => {
    const home = await Home.open({ store, served: new Served({ demo: { ...demo, label: label.replace('camdtestdevice222222222222', of) } }), dial: net.dial });
    closing.push({ close: () => { for (const c of home.cameras) c.close(); } });
    return home;
  };
  const pushes = `https://page.example/cameras/push/${record.device}/`;
  try {
    const home = await open(record.device);
    const { encJwk } = await readKey(home.keys.text);
    const card = await makeCard(record, owner, { encJwk, name: 'Mia', role: 'guest', camera: 'Door' });
    const add = async () => home.addCard(card, { words: (await home.readCard(card)).words });
    await home.forget(await add());
    await until('the end of its pushes', () => gone.length === 1);
    await add();
    const next = await open('b'.repeat(26));
    assert.equal(next.cameras.length, 0);
    await until('the end of its pushes', () => gone.length > 1);
    assert.ok(gone.every((scope) => scope === pushes), String(gone));
    await home.forget({ device: 'c'.repeat(26), close() {} }); // it pushed nothing: what is found is the page's own
    await new Promise((done) => { setTimeout(done); });
    assert.ok(gone.every((scope) => scope === pushes), String(gone));
  } finally {
    delete globalThis.document;
    browser('navigator', navigator);
  }
});

test('weekly hours', () => {
  const cases = { 'mo-FR  08:00 - 17:00': 'Mo-Fr 08:00-17:00', ' Mo - Fr 08:00-12:00 ;Sa, Su 10:00-12:00': 'Mo-Fr 08:00-12:00; Sa-Su 10:00-12:00', 'Su,We 09:00-10:00': 'We,Su 09:00-10:00', 'Mo,Sa,Su 09:00-10:00': 'Sa-Mo 09:00-10:00', 'We-Tu 09:00-10:00': '09:00-10:00', 'Fr 22:00-00:00': 'Fr 22:00-24:00', '22:00-07:00': '22:00-07:00' };
  for (const [text, want] of Object.entries(cases)) assert.equal(canonical(text), want);
  for (const bad of ['', ';', 'Mo', 'Mo08:00-12:00', 'Mo-Mo 08:00-12:00', 'Mo-We-Fr 08:00-12:00', 'Mo Tu 08:00-12:00', 'Mon 08:00-12:00', 'Mo 08:00-08:00', 'Mo 24:00-08:00', 'Mo 08:00-24:01', 'Mo 08:60-12:00', 'Mo,, 08:00-12:00', 'Mo\t08:00-12:00', Array(17).fill('00:00-01:00').join(';')]) {
    assert.equal(parseWeekly(bad), undefined, bad);
  }
});

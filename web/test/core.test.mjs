// A page's client at a camera: what it asks, believes and shows.
import './globals.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../setup/problem.js';

import { Camera as Device, closing, device, pairOf, until } from './rig.mjs';

const refusal = (code) => (error) => error instanceof Problem && error.code === code && error.message.endsWith('.');

test('a request is answered, and the log is proved', async () => {
  const { camera, peer, net } = await pairOf();
  camera.answers.status = () => ({ body: { name: 'Door' } });
  assert.deepEqual((await peer.call('status')).body, { name: 'Door' });
  assert.equal(peer.link.link, 'online');
  assert.deepEqual(net.topics, [`camd/v1/${device}/out/${peer.own}`, `camd/v1/${device}/status`]);
  assert.match(net.logins[0], new RegExp(`^${peer.own}-[A-Za-z0-9_-]{8}$`));
  const [hello, status] = camera.requests;
  assert.deepEqual([hello.op, hello.non, hello.seq, hello.cp], ['hello', undefined, undefined, undefined]);
  assert.equal(status.cp, undefined);
  assert.equal(peer.ledger.last.size, 1);
  for (let i = 0; i < 20; i++) {
    camera.enter({ k: 'ring', net: 'local' });
    await peer.call('status');
    assert.equal(peer.ledger.last.size, camera.entries.length);
  }
  assert.equal(peer.ledger.alarm, undefined);
  assert.ok(camera.requests.at(-1).cp.includes('\n20\n'));
  peer.close();
});

test('what is stale or lost is sent again under its jti', async () => {
  const { camera, peer } = await pairOf();
  const codes = ['stale', 'lost', 'ok'];
  await peer.call('settings.get');
  camera.answers.status = () => {
    const code = codes.shift();
    peer.requests.patience = code === 'stale' ? 50 : 30000; // of the next one, which is lost
    return { code };
  };
  await peer.call('status');
  const sent = camera.requests.filter((r) => r.op === 'status');
  assert.equal(new Set(sent.map((r) => r.jti)).size, 1);
  assert.equal(sent.length, 3);
  assert.ok(sent[0].seq < sent[1].seq && sent[1].seq < sent[2].seq);
  peer.close();
});

test('a request says how long it is waited for, unless it takes something away', async () => {
  const { camera, peer } = await pairOf();
  const asked = [['status'], ['privacy', { on: false }], ['talk', { live: 's' }], ['privacy', { on: true }], ['revoke', { client: 'x' }], ['bye'], ['alarm']];
  peer.requests.patience = 4000;
  const began = performance.now();
  for (const [op, body] of asked) {
    camera.answers[op] = () => ({});
    await peer.call(op, body);
  }
  const took = Math.ceil((performance.now() - began) / 1000) + 1;
  const [hello, ...sent] = camera.requests;
  assert.equal(hello.ttl, undefined);
  for (const [i, least] of [16, 16, 40].entries()) assert.ok(sent[i].ttl >= least && sent[i].ttl <= least + took, `${sent[i].op}: ${sent[i].ttl}`);
  assert.deepEqual(sent.slice(3).map((r) => r.ttl), [undefined, undefined, undefined, undefined]);
  peer.close();
});

test('silence and refusals are sentences', async () => {
  const { camera, peer, net } = await pairOf();
  camera.answers.status = () => ({ code: 'privacy' });
  await assert.rejects(peer.call('status'), refusal('privacy'));
  camera.answers.status = () => ({ code: 'something_new' });
  await assert.rejects(peer.call('status'), refusal('something_new'));
  camera.answers.status = () => ({ code: 'lost' });
  peer.requests.patience = 5;
  await assert.rejects(peer.call('status'), refusal('silent'));
  assert.equal(peer.link.link, 'offline');
  net.send(`camd/v1/${device}/status`, '{"online":true}');
  await until('the status', () => peer.link.sentence !== '');
  await assert.rejects(peer.call('status'), refusal('unknown'));
  let again = false;
  peer.addEventListener('up', () => { again = true; }, { once: true });
  net.send(`camd/v1/${device}/status`, '{"online":true}'); // it has come back later than the broker
  await until('another look', () => again);
  net.send(`camd/v1/${device}/status`, '{"online":false}');
  await until('the status', () => /offline/.test(peer.link.sentence));
  await assert.rejects(peer.call('status'), refusal('offline'));
  peer.requests.patience = 30000;
  camera.answers.status = () => ({ code: 'stale' });
  await assert.rejects(peer.call('status'), refusal('repeating'));
  camera.answers.status = () => ({ code: 'revoked' });
  await assert.rejects(peer.call('status'), refusal('revoked'));
  assert.deepEqual([peer.link.link, peer.link.removed], ['refused', true]);
  camera.answers.status = undefined; // it was added again
  await peer.call('status');
  assert.equal(peer.link.link, 'online');
  peer.close();
});

test('where the broker is, is asked again after it could not be told', async () => {
  const { Broker } = await import('../src/core/broker.js');
  const { Net } = await import('./rig.mjs');
  const net = new Net();
  let asked = 0;
  const where = async () => {
    if (asked++ === 0) throw new Problem('config', 'The server gives no login.');
    return { url: 'wss://broker.example' };
  };
  const broker = new Broker(where, { device, client: 'x', dial: net.dial });
  closing.push(broker);
  await until('the failure', () => broker.state === 'lost');
  assert.equal(broker.sentence, 'The server gives no login.');
  await until('the pause', () => { broker.wake(); return broker.up; });
  assert.equal(asked, 2);
});

test('a lost broker is tried again, and one that refuses says so', async () => {
  const { camera, peer, net } = await pairOf();
  await peer.call('status');
  net.socket.close();
  await until('the loss', () => !peer.broker.up);
  assert.equal(peer.link.link, 'connecting');
  await assert.rejects(peer.call('status'), { code: 'down', message: peer.broker.sentence });
  assert.match(peer.broker.sentence, /^The connection to the broker .* was lost\. It is being tried again\.$/);
  peer.broker.wake();
  await until('the broker', () => peer.broker.up);
  await peer.call('status');
  assert.equal(camera.requests.filter((r) => r.op === 'hello').length, 1);
  net.refuse = 5;
  net.socket.close();
  await until('the loss', () => !peer.broker.up);
  peer.broker.wake();
  await until('the refusal', () => peer.link.link === 'refused');
  assert.match(peer.link.sentence, /does not accept this client/);
  assert.equal(peer.link.removed, undefined); // it may come back
  peer.close();
});

// Each of these is an answer that must change nothing that the page shows, or raise the alarm.
const forged = {
  'of another key': { say: async (c, a) => c.say('camd-ans+jwt', a, await other()) },
  'for another client': { claims: { aud: 'x'.repeat(43) } },
  'of another device': { claims: { iss: 'b'.repeat(26) } },
  'of another epoch': { claims: { ep: 2 } },
  'to another request': { claims: { re: 'other' } },
  'of another type': { say: (c, a) => c.say('camd-new+jwt', a) },
  'no JSON': { say: (c) => c.net.send(`camd/v1/${device}/out/${c.client.name}`, 'a.b.c.d.e') },
  'too large': { say: (c) => c.net.send(`camd/v1/${device}/out/${c.client.name}`, 'x'.repeat(16385)) },
};

const other = async () => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);

for (const [what, { say, claims }] of Object.entries(forged)) {
  test(`an answer ${what} is none`, async () => {
    const { camera, peer } = await pairOf();
    await peer.call('status');
    peer.requests.patience = 20;
    const real = camera.say;
    camera.say = (typ, a, pair) => (a.code === 'ok' && !pair ? (say ?? ((c, x) => real.call(c, typ, { ...x, ...claims })))(Object.assign(Object.create(camera), { say: real }), a) : undefined);
    await assert.rejects(peer.call('status'), refusal('silent'));
    assert.equal(peer.ledger.alarm, undefined);
    peer.close();
  });
}

test('an answer that comes again says nothing', async () => {
  const { camera, peer } = await pairOf();
  let kept;
  const real = camera.say;
  camera.say = async (typ, a) => { kept = a; return real.call(camera, typ, a); };
  await peer.call('status');
  peer.requests.patience = 20;
  camera.say = async () => real.call(camera, 'camd-ans+jwt', { ...kept, body: { name: 'old' } });
  await assert.rejects(peer.call('status'), refusal('silent'));
  peer.close();
});

// A camera's log must only grow, and hold what was asked for.
const breaches = {
  rollback: { before: (c) => { c.entries.push(c.entries[0]); }, then: (c) => { c.entries.length = 1; } },
  fork: { then: (c) => { c.entries[0] = c.entries[0].replace('first', 'other'); } },
  proof: { then: (c) => { c.entries[0] = c.entries[0].replace('first', 'other'); c.entries.push(c.entries[0], c.entries[0]); } },
  checkpoint: { mangle: (a) => ({ ...a, cp: a.cp.replace('\n1\n', '\n9\n') }) },
  'checkpoint (none)': { mangle: (a) => ({ ...a, cp: undefined }), kind: 'checkpoint' },
  'checkpoint (of no text)': { mangle: (a) => ({ ...a, cp: { size: 1 } }), kind: 'checkpoint' },
  'proof (hostile)': { then: (c) => { c.entries.push(c.entries[0]); }, mangle: (a) => ({ ...a, proof: { con: [1, null, {}] } }), kind: 'proof' },
  'proof (endless)': { then: (c) => { c.entries.push(c.entries[0]); }, mangle: (a) => ({ ...a, proof: { con: Array(120).fill('A'.repeat(43)) } }), kind: 'proof' },
};

for (const [name, { before, then, mangle, kind = name }] of Object.entries(breaches)) {
  test(`the alarm: ${name}`, async () => {
    const { camera, peer, store, keys } = await pairOf();
    before?.(camera);
    await peer.call('status');
    then?.(camera);
    if (mangle) camera.mangle = (a, { op }) => (op === 'status' ? mangle(a) : a);
    await peer.call('status');
    assert.equal(peer.ledger.alarm?.kind, kind);
    assert.match(peer.ledger.alarmSentence('Door'), /^The camera Door .*\.$/);
    const { Ledger } = await import('../src/core/ledger.js');
    assert.equal((await Ledger.open(store, keys, peer.trio)).alarm.kind, kind, 'it is not kept');
    if (kind === 'fork') {
      await until('the other members are told', () => camera.requests.some((r) => r.op === 'alarm'));
      const { have, got } = camera.requests.find((r) => r.op === 'alarm').body;
      assert.notEqual(have, got);
    }
    camera.mangle = (a) => a;
    await peer.ledger.acknowledge();
    await peer.call('status');
    assert.equal(peer.ledger.alarm, undefined);
    peer.close();
  });
}

test('the alarm: what was done is not in the log as it was asked for', async () => {
  const cases = {
    none: () => ({}),
    'another entry': (c) => { c.enter({ k: 'ring' }); return { entry: c.entries.length - 1 }; },
    'other scopes': (c, q) => { c.enter({ k: 'live', who: q.iss, op: 'live', sid: q.sid, sc: ['listen'] }); return { entry: c.entries.length - 1 }; },
    'someone else': (c, q) => { c.enter({ k: 'live', who: 'x'.repeat(43), op: 'live', sid: q.sid, sc: ['view'] }); return { entry: c.entries.length - 1 }; },
    'another session': (c, q) => { c.enter({ k: 'live', who: q.iss, op: 'live', sid: 'other', sc: ['view'] }); return { entry: c.entries.length - 1 }; },
  };
  for (const [what, answer] of Object.entries(cases)) {
    const { camera, peer } = await pairOf();
    camera.answers.live = (q) => answer(camera, q);
    await peer.call('live', { sdp: '', scopes: ['view'] }, { sid: 'mine' });
    assert.equal(peer.ledger.alarm?.kind, 'entry', what);
    peer.close();
  }
  const { camera, peer } = await pairOf();
  camera.answers.live = (q) => { camera.enter({ k: 'live', who: q.iss, op: 'live', sid: q.sid, sc: ['view'] }); return { entry: camera.entries.length - 1 }; };
  await peer.call('live', { sdp: '', scopes: ['view'] }, { sid: 'mine' });
  assert.equal(peer.ledger.alarm, undefined);
  peer.close();
});

test('signals reach their session in order, and once', async () => {
  const { camera, peer } = await pairOf();
  const got = [];
  peer.session('mine', (kind, body) => got.push([kind, body.reason]));
  const signal = (n, reason, sid = 'mine') => camera.say('camd-sig+jwt', { iss: device, aud: peer.own, ep: 1, sid, n, kind: 'end', body: { reason } });
  for (const [n, reason, sid] of [[1, 'a'], [1, 'again'], [3, 'b'], [2, 'late'], [4, 'c', 'other'], ['5', 'text'], [6, 'd']]) await signal(n, reason, sid);
  await until('the last', () => got.length === 3);
  assert.deepEqual(got.map(([, r]) => r), ['a', 'b', 'd']);
  peer.close();
});

test('notices are told once, and are fit to be shown', async () => {
  const { camera, peer } = await pairOf();
  const got = [];
  peer.addEventListener('notice', ({ detail }) => got.push(detail));
  camera.enter({ k: 'ring', net: 'local' });
  await camera.notice(1);
  await camera.notice(1);
  await camera.notice(1, { entry: '{"v":2}' });
  await camera.notice(1, { entry: 'x'.repeat(2000) });
  await camera.notice(1, { n: -1 });
  camera.enter({ k: 'live', who: peer.own, name: 'Anna', sc: ['view'] });
  await camera.notice(2);
  await until('the second', () => got.length === 2);
  assert.deepEqual(got.map(({ n, entry }) => [n, entry.k]), [[1, 'ring'], [2, 'live']]);
  peer.close();
});

test('an old notice that comes again is none, and one that does not come is missed', async () => {
  const { camera, peer, store, keys } = await pairOf();
  for (let i = 0; i < 3; i++) camera.enter({ k: 'ring', net: 'local' });
  await peer.call('status');
  peer.close();
  const { Peer } = await import('../src/core/peer.js');
  const again = new Peer(await Peer.prepare(camera.record, store, keys), async () => ({ url: 'wss://broker.example' }), { dial: camera.net.dial });
  closing.push(again);
  await until('the broker', () => again.broker.up);
  const got = [];
  again.addEventListener('notice', ({ detail }) => got.push(detail.n));
  again.addEventListener('missed', () => got.push('missed'));
  await camera.notice(2);
  camera.enter({ k: 'ring', net: 'local' });
  await camera.notice(4);
  await until('the new one', () => got.length > 0);
  for (let i = 0; i < 90; i++) camera.enter({ k: 'ring', net: 'local' });
  let note = 94;
  camera.mangle = (a) => ({ ...a, note });
  await again.call('status');
  await again.call('status');
  await camera.notice(5);
  await camera.notice(93);
  note = 1e9;
  await again.call('status');
  await until('the last', () => got.length > 2);
  assert.deepEqual(got, [4, 'missed', 93]);
});

test('a new household is believed by the identity alone', async () => {
  const { camera, peer, net } = await pairOf();
  const said = async (by, ep, reason, trioBy = by) => {
    const trio = await camera.sign('camd-trio+jwt', { ...camera.claims, ep }, trioBy);
    net.send(`camd/v1/${device}/status`, JSON.stringify({ online: true, epoch: await camera.sign('camd-epoch+jwt', { deviceId: device, ep, trio, reason }, by) }));
  };
  await said(await other(), 2, 'forged');
  await said(camera.identity, 1, 'an old one');
  await said(camera.identity, 2, 'of another trio', await other());
  await peer.call('status');
  assert.equal(peer.link.link, 'online');
  await said(camera.identity, 2, 'everyone was removed\u202e');
  await until('the end', () => peer.link.link === 'refused');
  assert.match(peer.link.sentence, /household has ended .*everyone was removed\\u202e/);
  assert.equal(peer.link.removed, true);
  peer.close();
});

test('a removal is repeated until it is answered, in the next run too', async () => {
  const { camera, peer, store, keys } = await pairOf();
  await peer.call('status');
  peer.requests.patience = 5;
  camera.answers.revoke = () => ({ code: 'lost' });
  await assert.rejects(peer.revoke({ client: 'ben' }, 'Ben'), refusal('silent'));
  assert.deepEqual(peer.unanswered, [{ client: 'ben', name: 'Ben' }]);
  await assert.rejects(peer.call('status'), refusal('silent'));
  peer.close();
  camera.answers.revoke = (q) => { camera.enter({ k: 'revoke', who: q.iss, sub: q.body.client }); return { body: { revoked: ['ben'] }, entry: camera.entries.length - 1 }; };
  const { Peer } = await import('../src/core/peer.js');
  const again = new Peer(await Peer.prepare(camera.record, store, keys), async () => ({ url: 'wss://broker.example' }), { dial: camera.net.dial });
  await until('the broker', () => again.broker.up);
  await again.call('status');
  assert.deepEqual(again.unanswered, []);
  const ids = new Set(camera.requests.filter((r) => r.op === 'revoke').map((r) => r.jti));
  assert.equal(ids.size, 1);
  assert.deepEqual(camera.requests.slice(-3).map((r) => r.op), ['hello', 'revoke', 'status']);
  again.close();
});

test('a removal that many wait for is asked for once', async () => {
  const { camera, peer } = await pairOf();
  let answer;
  const asked = new Promise((resolve) => {
    camera.answers.revoke = async (q) => {
      resolve();
      await new Promise((go) => { answer = go; });
      camera.enter({ k: 'revoke', who: q.iss, sub: q.body.client });
      return { body: { revoked: ['ben'] }, entry: camera.entries.length - 1 };
    };
  });
  const removed = peer.revoke({ client: 'ben' }, 'Ben');
  await asked;
  const others = [peer.call('status'), peer.call('members')];
  answer();
  assert.deepEqual((await removed).revoked, ['ben']);
  await Promise.all(others);
  assert.deepEqual(camera.requests.map((r) => r.op).filter((op) => op !== 'hello'), ['revoke', 'status', 'members']);
  peer.close();
});

test('a removal is not taken for answered when the camera refuses to begin', async () => {
  const { camera, peer } = await pairOf();
  camera.answers.hello = () => ({ code: 'suspended' });
  await assert.rejects(peer.revoke({ client: 'ben' }, 'Ben'), refusal('suspended'));
  assert.deepEqual(peer.unanswered, [{ client: 'ben', name: 'Ben' }]);
  peer.close();
});

test('two pages of a browser keep the removals of both', async () => {
  const { camera, peer, store, keys } = await pairOf();
  const { Peer } = await import('../src/core/peer.js');
  const other = new Peer(await Peer.prepare(camera.record, store.page(), keys), async () => ({ url: 'wss://broker.example' }), { dial: camera.net.dial, patience: 5 });
  await until('the broker', () => other.broker.up);
  peer.requests.patience = 5;
  camera.answers.hello = () => ({ code: 'lost' });
  await assert.rejects(peer.revoke({ client: 'ben' }, 'Ben'), refusal('silent'));
  await assert.rejects(other.revoke({ client: 'mia' }, 'Mia'), refusal('silent'));
  assert.deepEqual((await Peer.prepare(camera.record, store, keys)).revoking.map((r) => r.name), ['Ben', 'Mia']);
  await until('the first page hears of it', () => peer.unanswered.length === 2);
  assert.deepEqual(other.unanswered.map((r) => r.name), ['Ben', 'Mia']);
  peer.close();
  other.close();
});

test('a removal carries the same checkpoint each time, and goes before the alarm', async () => {
  const { camera, peer } = await pairOf();
  await peer.call('status');
  peer.requests.patience = 5;
  camera.answers.revoke = () => ({ code: 'lost' });
  await assert.rejects(peer.revoke({ client: 'ben' }, 'Ben'), refusal('silent'));
  peer.requests.patience = 30000;
  const first = camera.requests.at(-1).cp;
  camera.enter({ k: 'ring', net: 'local' });
  await peer.ledger.raise('fork', await camera.checkpoint(), 'status', await camera.checkpoint(1));
  camera.answers.revoke = (q) => { camera.enter({ k: 'revoke', who: q.iss, sub: q.body.client }); return { body: { revoked: ['ben'] }, entry: camera.entries.length - 1 }; };
  const before = camera.requests.length;
  await until('the alarm', () => camera.requests.some((r) => r.op === 'alarm'));
  assert.deepEqual(camera.requests.slice(before).map((r) => [r.op, r.op === 'revoke' ? r.cp === first : true]), [['revoke', true], ['alarm', true]]);
  peer.close();
});

test('two pages of a browser have one alarm, and one end of it', async () => {
  const { camera, peer, store, keys } = await pairOf();
  const { Peer } = await import('../src/core/peer.js');
  camera.enter({ k: 'ring', net: 'local' });
  await peer.call('status');
  const other = new Peer(await Peer.prepare(camera.record, store.page(), keys), async () => ({ url: 'wss://broker.example' }), { dial: camera.net.dial });
  closing.push(other);
  camera.entries.length = 1; // it is put back
  await peer.call('status');
  await until('the alarm', () => other.ledger.alarm?.kind === 'rollback');
  let ended = 0;
  other.addEventListener('acknowledged', () => ended++);
  await peer.ledger.acknowledge();
  await until('its end', () => ended === 1);
  assert.deepEqual([other.ledger.alarm, other.ledger.last.size], [undefined, 1]); // so that it does not raise it again
});

test('nobody waits for a camera that was closed', async () => {
  const { camera, peer } = await pairOf();
  let asked;
  const waits = new Promise((resolve) => { asked = resolve; });
  camera.answers.status = () => { asked(); return { code: 'lost' }; };
  const answer = assert.rejects(peer.call('status'), refusal('down'));
  await waits;
  peer.close();
  await answer;
  const count = camera.requests.length;
  await assert.rejects(peer.call('status'), refusal('down'));
  assert.equal(camera.requests.length, count);
});

test('a TURN address that the browser does not take is left out', async () => {
  const { peerConnection } = await import('../src/core/servers.js');
  const made = [];
  globalThis.RTCPeerConnection = class {
    constructor({ iceServers, ...more }) {
      for (const { urls } of iceServers) for (const url of [urls].flat()) if (!url.startsWith('turn:')) throw new SyntaxError(url);
      made.push({ iceServers, ...more });
    }

    close() {}
  };
  try {
    const login = { username: 'u', credential: 'c' };
    peerConnection({ iceServers: [{ urls: ['turn:a', 'http://b', 'turn:c'], ...login }, { urls: 'nothing', ...login }], iceTransportPolicy: 'relay' });
    assert.deepEqual(made.at(-1), { iceServers: [{ urls: ['turn:a', 'turn:c'], ...login }], iceTransportPolicy: 'relay' });
    made.length = 0;
    peerConnection({ iceServers: [{ urls: ['turn:a'] }] });
    assert.equal(made.length, 1);
  } finally {
    delete globalThis.RTCPeerConnection;
  }
});

test('the alarm holds the checkpoint that is contradicted', async () => {
  const { camera, store, keys, peer } = await pairOf();
  const { Ledger } = await import('../src/core/ledger.js');
  peer.close();
  const [one, two] = [await Ledger.open(store, keys, peer.trio), await Ledger.open(store, keys, peer.trio)]; // of two pages
  const answer = async () => ({ code: 'ok', cp: await camera.checkpoint() });
  const kept = await answer();
  await one.verify({ op: 'status' }, [], kept);
  camera.entries[0] = camera.entries[0].replace('first', 'other');
  await two.verify({ op: 'status' }, [], await answer());
  assert.deepEqual([two.alarm.kind, two.alarm.have], ['fork', kept.cp]);
  assert.equal(await two.provable(), true);
});

test('cameras at one broker don\'t end each other\'s connection', async () => {
  const { Broker } = await import('../src/core/broker.js');
  const { Net } = await import('./rig.mjs');
  const net = new Net();
  for (const d of [device, 'b'.repeat(26)]) {
    const broker = new Broker(async () => ({ url: 'wss://broker.example' }), { device: d, client: 'x', dial: net.dial });
    closing.push(broker);
    await until('the broker', () => broker.up);
  }
  assert.equal(new Set(net.logins).size, 2);
});

test('what is kept is written before anything is done for it', async () => {
  const { Store } = await import('../src/core/store.js');
  const steps = [];
  const later = (what, request = {}) => {
    setTimeout(() => { steps.push(what); request.onsuccess?.(); });
    return request;
  };
  const transaction = {};
  const table = { transaction, get: () => later('read'), put: () => { setTimeout(() => { steps.push('written'); transaction.oncomplete?.(); }, 20); return later('asked'); } };
  transaction.objectStore = () => table;
  const pages = { postMessage: (key) => steps.push(`told ${key}`) };
  const kept = new Store({ transaction: () => transaction }, pages);
  await kept.update('x', () => 1);
  assert.deepEqual(steps, ['read', 'asked', 'written', 'told x']);
  kept.addEventListener('changed', ({ detail }) => steps.push(detail));
  pages.onmessage({ data: 'y' });
  assert.equal(steps.at(-1), 'y');
});

test('a broker that sends no MQTT is left', async () => {
  for (const bytes of [[0x30, 0xff, 0xff, 0xff, 0xff], [0x32, 2, 0, 0], [0x30, 3, 0, 9, 1], [0x50, 0], [0x30, 0xff, 0xff, 0x7f]]) {
    const { peer, net } = await pairOf();
    net.raw(bytes);
    await until(`the end of ${bytes}`, () => !peer.broker.up);
    peer.close();
  }
});

test('what a page can hold of another camera is refused', async () => {
  const { camera, peer, keys, store } = await pairOf();
  peer.close();
  const { Peer } = await import('../src/core/peer.js');
  const stranger = await Device.make(camera.net, keys);
  await assert.rejects(Peer.prepare({ ...camera.record, trio: stranger.trio }, store, keys), /signature/);
});

test('a browser sends nothing where the camera can\'t be', async () => {
  const { mayBeCamera, readAnswer, usable } = await import('../src/core/answer.js');
  for (const good of ['192.168.1.20', '10.0.0.1', '203.0.113.9', 'fd00::1', '2001:db8::7', '64:ff9b::c0a8:101', '2002:c0a8:101::1']) assert.equal(mayBeCamera(good, false), true, good);
  for (const bad of ['0.0.0.0', '0.1.2.3', '169.254.169.254', '224.0.0.251', '240.0.0.1', '255.255.255.255', '::', 'fe80::1', 'fec0::1', 'ff02::fb', '::ffff:192.168.1.1', '::1.2.3.4',
    '64:ff9b::7f00:1', '2002:7f00:1::', 'router.local', 'example.org', '1.2.3', '01.2.3.4', '1.2.3.256', '[fd00::1]', 'fd00::1%eth0', '']) assert.equal(mayBeCamera(bad, true), false, bad);
  for (const own of ['127.0.0.1', '127.9.9.9', '::1']) assert.deepEqual([mayBeCamera(own, false), mayBeCamera(own, true)], [false, true], own);
  const candidate = (transport, address) => `candidate:1 1 ${transport} 1 ${address} 9 typ host`;
  assert.deepEqual([candidate('UDP', '10.0.0.1'), candidate('tcp', '10.0.0.1'), candidate('udp', '127.0.0.1'), 'candidate:1', ''].map((c) => usable(c, false)), [true, false, false, false, false]);
  const sdp = ['v=0', 'a=ice-ufrag:abcd', `a=ice-pwd:${'p'.repeat(22)}`, `a=${candidate('udp', '10.0.0.1')}`, 'a=end-of-candidates', ''].join('\r\n');
  assert.equal(readAnswer(sdp, false), sdp);
  assert.equal(readAnswer(sdp.replace('10.0.0.1', '127.0.0.1'), false), sdp.replace(/a=candidate.*\r\n/, ''));
  for (const [from, to] of [['abcd', 'abc'], ['abcd', 'GET / HTTP'], ['pp', 'p'], ['pp', 'p\u00e4'], ['abcd', 'a'.repeat(257)]]) assert.throws(() => readAnswer(sdp.replace(from, to), false), /credentials/, to);
});

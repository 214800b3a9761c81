// A client that was written from docs/protocol.md alone, and what it does with a camera:
//   main.mjs id DIR                    makes keys and prints the client's name
//   main.mjs household DIR SOCKET LABEL  pairs, asks for all that the document describes
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Camera, cameraCard, readKey } from './camera.mjs';
import { leafOf, rootOf } from './log.mjs';
import { local, pair } from './pair.mjs';
import { Keys, opened, token } from './wire.mjs';

const step = (what) => console.log(`== ${what}`);

const until = async (what, ok) => {
  for (let i = 0; i < 1200; i++) {
    const got = await ok();
    if (got) return got;
    await sleep(50);
  }
  throw new Error(`waited in vain for ${what}`);
};

// offer has what 7.1 asks for; nobody will connect by it.
function offer() {
  const print = [...randomBytes(32)].map((b) => b.toString(16).padStart(2, '0').toUpperCase()).join(':');
  const transport = [
    'c=IN IP4 0.0.0.0', 'a=rtcp-mux', 'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', 'a=setup:actpass',
    `a=fingerprint:sha-256 ${print}`,
  ];
  return [
    'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE v a',
    'm=video 9 UDP/TLS/RTP/SAVPF 102', ...transport, 'a=mid:v', 'a=recvonly', 'a=rtpmap:102 H264/90000',
    'a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', ...transport, 'a=mid:a', 'a=sendrecv', 'a=rtpmap:111 opus/48000/2', '',
  ].join('\r\n');
}

async function lives(camera) {
  step('status');
  const { body: status } = await camera.must('status');
  assert.equal(status.device, camera.device);
  assert.match(status.identity, /^C[12]$/);
  assert.deepEqual(status.sessions, []);
  for (const c of status.conditions) assert.ok(c.name && ['starting', 'ok', 'degraded', 'failed'].includes(c.state) && c.since > 0);
  const said = opened(camera.status.epoch, ['camd-epoch+jwt'], camera.paired.identity).claims;
  assert.equal(camera.status.online, true);
  assert.deepEqual([said.deviceId, said.ep, said.reason], [camera.device, camera.trio.ep, 'first start']);

  step('live: offer, answer, candidates, bye');
  let sid;
  const { body: live } = await until('a picture', async () => {
    sid = token();
    const a = await camera.call('live', { sdp: offer(), scopes: ['view', 'listen'] }, sid);
    return a.code === 'ok' ? a : assert.equal(a.code, 'no_media');
  });
  assert.deepEqual(live.scopes, ['view', 'listen']);
  assert.match(live.sdp, /a=setup:passive/);
  const now = (await camera.must('status')).body;
  assert.deepEqual(now.sessions.map((s) => [s.client, s.scopes]), [[camera.keys.name, ['view', 'listen']]]);
  const { body: { members: [me] } } = await camera.must('members');
  assert.deepEqual(me.watching, ['view', 'listen']);
  const entries = () => camera.notices.map((n) => JSON.parse(n.entry));
  const entry = await until('the notice of the session', () => entries().find((e) => e.k === 'live' && e.sid === sid));
  assert.equal(entry.who, camera.keys.name);
  const candidate = 'candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host';
  await camera.must('candidate', { candidates: [{ candidate, sdpMid: 'v', sdpMLineIndex: 0 }], done: true }, sid);
  assert.equal((await camera.call('candidate', { candidates: [] }, token())).code, 'no_session');
  await camera.must('bye', undefined, sid);
  await until('the notice of the end', () => entries().some((e) => e.why === 'bye'));

  step('snapshot, and its picture by parts');
  const shot = token();
  const { body: picture } = await camera.must('snapshot', undefined, shot);
  assert.equal(picture.kind, 'image/jpeg');
  const jpeg = await camera.picture({ snapshot: shot }, picture.size);
  assert.deepEqual([jpeg.length, jpeg[0], jpeg[1]], [picture.size, 0xff, 0xd8]);
  assert.equal((await camera.call('events', { snapshot: token(), offset: 0 })).code, 'no_event');
  assert.equal((await camera.call('events', { from: 1, offset: 1 })).code, 'bad_request');
}

async function fresh(camera) {
  step('a dead nonce and a low sequence are answered stale, and the request is sent again');
  camera.non = token();
  await camera.must('status');
  const { clock } = camera;
  [camera.clock, camera.seq] = [() => 0, 0];
  await camera.must('status');
  camera.clock = clock;
  assert.ok(camera.stale >= 2);
  step('a repetition gets the first answer, and another body none');
  const jti = token();
  const first = await camera.call('settings.set', { name: 'Attic' }, undefined, jti);
  const again = await camera.call('settings.set', { name: 'Attic' }, undefined, jti);
  assert.deepEqual([again.code, again.body, again.proof.entry.n], ['ok', first.body, first.proof.entry.n]);
  assert.equal((await camera.call('settings.set', { name: 'Cellar' }, undefined, jti)).code, 'bad_request');
}

// certificate gives the camera another one, which openssl makes with the broker's authority.
async function certificate(camera) {
  step('another certificate for the broker');
  const { body: before } = await camera.must('certificate', { do: 'status' });
  assert.ok(before.nbf < before.exp);
  assert.deepEqual([before.request, before.problem], [undefined, undefined]);
  assert.deepEqual((await camera.must('status')).body.certificate, before);
  assert.equal((await camera.call('certificate', { do: 'set' })).code, 'bad_request');
  const { body: wrong } = await camera.must('certificate', { do: 'set', chain: [Buffer.from('no certificate').toString('base64')] });
  assert.deepEqual([wrong.exp, typeof wrong.problem], [before.exp, 'string']);
  const { body: asked } = await camera.must('certificate', { do: 'request' });
  writeFileSync(file('new.csr'), Buffer.from(asked.request, 'base64'));
  execFileSync('openssl', ['x509', '-req', '-inform', 'DER', '-in', file('new.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key'),
    '-set_serial', '7', '-days', '30', '-copy_extensions', 'copy', '-outform', 'DER', '-out', file('new.crt')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const chain = [readFileSync(file('new.crt')).toString('base64')];
  const { body: after, proof } = await camera.must('certificate', { do: 'set', chain });
  assert.ok(after.exp !== before.exp && !after.problem);
  assert.equal(JSON.parse(proof.entry.text).k, 'certificate');
  await until('the camera at its broker with it', async () => (await camera.must('status')).body.conditions.find((c) => c.name === 'broker').state === 'ok');
}

// wifi asks for what this camera has not.
async function wifi(camera) {
  step('Wi-Fi that nobody set up');
  for (const body of [{ do: 'status' }, { do: 'networks' }, { do: 'join', wifi: { ssid: Buffer.from('home').toString('base64url'), open_ok: true } }]) {
    const { problem } = (await camera.must('wifi', body)).body;
    assert.deepEqual([problem.code, typeof problem.reason], ['no_wifi', 'string']);
  }
  assert.equal((await camera.call('wifi', { do: 'join' })).code, 'bad_request');
}

async function rings(camera, socket) {
  step('a ring, its notice and its picture');
  await local(socket, { cmd: 'ring' });
  const told = await until('its notice', () => camera.notices.find((n) => JSON.parse(n.entry).k === 'ring'));
  const event = await until('its picture', async () => (await camera.must('events', { from: told.n })).body.events?.find((e) => e.picture));
  assert.deepEqual([event.n, event.kind, event.picture], [told.n, 'ring', 'image/jpeg']);
  assert.equal((await camera.picture({ event: event.n }, event.size)).length, event.size);
}

// letIn lets in whose key lies in guest.key, and leaves its camera card.
async function letIn(camera) {
  step('a guest of another program');
  const key = readKey(readFileSync(file('guest.key'), 'utf8'));
  const who = { name: 'Cara', role: 'guest' };
  assert.equal((await camera.must('grant', { ...who, card: key.card, scopes: ['view', 'listen'] })).body.client, key.name);
  const login = { certificate: readFileSync(file('guest.crt'), 'utf8'), key: readFileSync(file('guest-login.key'), 'utf8') };
  writeFileSync(file('guest.card'), cameraCard(camera, { ...who, encJwk: key.encJwk, login }));
}

async function household(camera, socket) {
  step('settings and privacy mode');
  const { body: before } = await camera.must('settings.get');
  assert.deepEqual([before.privacy, before.chosen, before.talk], [false, ['name'], 'announced']);
  const { body: after } = await camera.must('settings.set', { name: 'Kitchen', quiet_hours: '22:00-07:00' });
  assert.deepEqual(after, { ...before, name: 'Kitchen', quiet_hours: '22:00-07:00', chosen: ['name', 'quiet_hours'] });
  assert.equal((await camera.call('settings.set', {})).code, 'bad_request');
  const { body: update } = await camera.must('update', { do: 'status' });
  assert.equal(update.state, 'off');
  assert.equal((await camera.call('update', { do: 'install' })).code, 'no_update');
  assert.equal((await camera.call('update', { do: 'check', until: 5 })).code, 'bad_request');
  assert.deepEqual((await local(socket, { cmd: 'update' })).answer.update, update);
  assert.equal((await camera.call('settings.set', { time_zone: 'Europe/Atlantis' })).code, 'time_zone');
  assert.deepEqual((await camera.must('privacy', { on: true })).body, { on: true });
  assert.equal((await camera.call('snapshot', undefined, token())).code, 'privacy');
  assert.deepEqual((await local(socket, { cmd: 'settings' })).answer.settings, { ...after, privacy: true });
  assert.deepEqual((await camera.must('privacy', { on: false })).body, { on: false });

  step('grant, members, revoke');
  const guest = new Keys();
  const grant = { card: guest.card(), name: 'Ben', role: 'guest', scopes: ['view'], weekly: 'Mo-Su 00:00-24:00' };
  assert.deepEqual((await camera.must('grant', grant)).body, { client: guest.name });
  assert.equal((await camera.call('grant', { ...grant, card: new Keys().card() })).code, 'name_taken');
  const { all: members } = await camera.pages('members', 'members');
  assert.deepEqual(members.map((m) => [m.name, m.role, m.parent ?? '', m.by ?? '']),
    [['Anna', 'owner', '', ''], ['Ben', 'guest', camera.keys.name, 'Anna']]);
  assert.deepEqual((await local(socket, { cmd: 'members' })).answer.members, members);
  assert.deepEqual((await camera.must('revoke', { client: guest.name })).body.revoked, [guest.name]);
  assert.deepEqual((await camera.must('revoke', { client: guest.name })).body.revoked, []);
  assert.equal((await camera.call('dance')).code, 'unknown_op');
}

async function log(camera, socket) {
  step('log: all entries give the root that was signed');
  const { all, end } = await camera.pages('log', 'records');
  const records = all.filter((r) => r.n < end.size);
  assert.equal(records.length, end.size);
  assert.ok(rootOf(records.map(leafOf)).equals(end.root));
  const kinds = records.map((r) => JSON.parse(r.text).k);
  for (const k of ['epoch', 'pair', 'live', 'end', 'snapshot', 'settings', 'privacy', 'grant', 'revoke', 'certificate']) assert.ok(kinds.includes(k), k);
  const page = (await local(socket, { cmd: 'log', from: 1 })).answer.log;
  assert.deepEqual(page.records[0], records[1]);

  step('notices are chained, and are the entries of the log');
  camera.notices.forEach((n, i) => {
    assert.equal(n.entry, records[n.n].text);
    if (i > 0) assert.equal(n.prev, camera.notices[i - 1].n);
  });
}

const [command, dir, socket, label] = process.argv.slice(2);
const file = (name) => join(dir, name);
if (command === 'id') {
  const keys = new Keys();
  writeFileSync(file('keys.json'), JSON.stringify(keys.save()), { mode: 0o600 });
  console.log(keys.name);
} else {
  const keys = Keys.load(JSON.parse(readFileSync(file('keys.json'))));
  step('pair');
  const paired = await pair(socket, label, keys);
  assert.deepEqual([paired.owned, paired.receipt.role, paired.receipt.name], [false, 'owner', 'Anna']);
  assert.equal((await pair(socket, label, keys)).owned, true);
  await assert.rejects(pair(socket, label, new Keys()), { code: 'owned' });
  paired.receipt.broker = { certificate: readFileSync(file('login.crt')), key: readFileSync(file('login.key')), ...paired.receipt.broker };
  const camera = new Camera(paired, keys);
  await camera.start();
  await until('its status', () => camera.status);
  await lives(camera);
  await fresh(camera);
  await rings(camera, socket);
  await household(camera, socket);
  await certificate(camera);
  await wifi(camera);
  await letIn(camera);
  await log(camera, socket);
  camera.close();
  step('done');
}

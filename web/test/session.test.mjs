// A live session's stream of pictures: what the camera says of it, and what a page asks for.
import './globals.mjs';
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Problem } from '../setup/problem.js';
import { Session } from '../src/core/session.js';
import { openMicrophone } from '../src/core/talk.js';
import { device, pairOf, until } from './rig.mjs';

// What browsers have for pictures, as far as a session needs it to begin.
Object.assign(globalThis, {
  location: { hostname: 'page.example' },
  MediaStream: class { getTracks() { return []; } },
  RTCRtpReceiver: { getCapabilities: () => ({ codecs: [{ mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=1' }] }) },
  RTCPeerConnection: class {
    addTransceiver() { return { setCodecPreferences() {} }; }
    async setLocalDescription() { this.localDescription = { sdp: 'offer' }; }
    async setRemoteDescription() {}
    async getStats() { return new Map(); }
    close() {}
  },
});

// watch begins a session with a camera that says something of its stream.
async function watch(stream, wish) {
  const { camera, peer } = await pairOf();
  camera.answers.live = (q) => {
    camera.enter({ k: 'live', who: q.iss, sid: q.sid, sc: q.body.scopes });
    return { body: { sdp: 'v=0\r\n', scopes: q.body.scopes, stream }, entry: camera.entries.length - 1 };
  };
  const session = await Session.start(peer, { scopes: ['view'], wish, servers: async () => [] });
  after(() => session.bye());
  const { sid, body } = camera.requests.find((q) => q.op === 'live');
  let n = 0;
  const signal = (kind, said) => camera.say('camd-sig+jwt', { iss: device, aud: peer.own, ep: 1, sid, n: ++n, kind, body: said });
  return { camera, session, signal, asked: body };
}

test('a page shows the stream that the camera names, and nothing else', async () => {
  const { session, signal, asked } = await watch({ stream: 'high', why: 'path' });
  assert.equal(asked.stream, undefined);
  assert.deepEqual(session.streamState, { stream: 'high', why: 'path', skips: false });
  const states = [];
  session.addEventListener('change', () => states.push(session.streamState));
  for (const bad of [{}, { stream: 'auto', why: 'path' }, { stream: ['low'], why: 'path' }, { stream: 5 }]) await signal('stream', bad);
  await signal('stream', { stream: 'low', why: { constructor: 1 }, skips: 'yes' });
  await signal('stream', { stream: 'low', why: 'path', skips: true });
  await until('both', () => states.length === 2);
  assert.deepEqual(states, [{ stream: 'low', why: '[object Object]', skips: false }, { stream: 'low', why: 'path', skips: true }]);
});

test('a camera that says nothing of its stream has none to choose', async () => {
  const { session } = await watch();
  assert.equal(session.streamState, undefined);
});

test('another stream is asked for, and a choice that is refused is taken back', async () => {
  const { camera, session, asked } = await watch({ stream: 'low', why: 'asked' }, 'low');
  assert.equal(asked.stream, 'low');
  const codes = ['ok', 'no_session'], bodies = [];
  camera.answers.stream = ({ body }) => { bodies.push(body); return { code: codes.shift() }; };
  await session.choose('high');
  assert.equal(session.wish, 'high');
  const seen = [];
  session.addEventListener('change', () => seen.push(session.wish));
  await assert.rejects(session.choose('auto'), (error) => error instanceof Problem && error.code === 'no_session');
  assert.deepEqual(seen, ['auto', 'high']);
  assert.deepEqual(bodies, [{ stream: 'high' }, { stream: 'auto' }]);
});

test('a microphone that is not there is told in a sentence', async () => {
  for (const [name, said] of [
    ['NotFoundError', /has no microphone/], ['NotReadableError', /Another program/], ['NotAllowedError', /may not use the microphone/], ['AbortError', /does not work/],
  ]) {
    Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { mediaDevices: { getUserMedia: async () => { throw new DOMException('Requested device not found', name); } } } });
    await assert.rejects(openMicrophone(), (error) => error instanceof Problem && said.test(error.message));
  }
});

// What comes through a push service is believed as little as what a broker sends.
import './globals.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sealed } from '../setup/jose.js';
import { pushed } from '../src/core/pushed.js';
import { device, pairOf } from './rig.mjs';

test('a notice is shown if a camera of this browser has signed it for this browser', async () => {
  const { camera, peer, keys, store, net } = await pairOf();
  await store.update(`camera/${device}`, () => camera.record);
  camera.enter({ k: 'ring', net: 'local' });
  let text;
  net.send = (topic, jwe) => { text = jwe; };
  await camera.notice(1);
  assert.deepEqual(await pushed(`${text}\n`, store), { device, n: 1, camera: 'Door', kind: 'ring', sentence: 'Someone rang the bell.', time: new Date(JSON.parse(camera.entries[1]).t) });
  const other = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const claims = { iss: device, aud: keys.name, ep: 1, n: 1, prev: 1, entry: camera.entries[1] };
  const said = async (more, { typ = 'camd-note+jwt', by } = {}) => sealed(await camera.sign(typ, { ...claims, ...more }, by), keys.claims.encJwk);
  await pushed(await said({}), store);
  for (const [why, bad] of Object.entries({
    'another signer': await said({}, { by: other }), 'an answer': await said({}, { typ: 'camd-ans+jwt' }), 'another client': await said({ aud: 'x'.repeat(43) }),
    'another household': await said({ ep: 2 }), 'another camera': await said({ iss: 'b'.repeat(26) }), 'no camera': await said({ iss: { a: 1 } }),
    'an entry of another household': await said({ entry: camera.entries[1].replace('"ep":1', '"ep":2') }), 'no entry': await said({ entry: '{}' }),
    'no number': await said({ n: 'x' }), empty: '', text: 'hello', 'too large': 'x'.repeat(20000),
  })) await assert.rejects(pushed(bad, store), Error, why);
  peer.close();
});

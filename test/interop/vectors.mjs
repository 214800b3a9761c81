// vectors.mjs ROOT: opens and checks the test vectors that docs/protocol.md names.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { continues, included, leafOf, readCheckpoint, rootOf } from './log.mjs';
import { Keys, opened, publicJwk, publicKey, unsealed } from './wire.mjs';

const root = process.argv[2];
const text = (path) => readFileSync(join(root, path), 'utf8');
const json = (path) => JSON.parse(text(path));

// 4.7
const v = json('pkg/auth/envelope/testdata/vectors.json');
const key = (name) => createPrivateKey({ key: v.keys[name], format: 'jwk' });
const pub = (name) => publicKey(publicJwk(key(name)));
const client = new Keys(key('clientSig'), key('clientEnc'));
assert.equal(client.name, v.clientId);
assert.deepEqual(opened(v.keyCard, ['camd-key+jwt'], pub('clientSig'), v.clientId).claims, client.claims);
const trio = opened(v.trio, ['camd-trio+jwt'], pub('identity')).claims;
assert.deepEqual([trio.hhSig, trio.hhEnc], [publicJwk(key('hhSig')), publicJwk(key('hhEnc'))]);
for (const [name, typ, to, by, kid] of [
  ['request', 'camd-req+jwt', 'hhEnc', 'clientSig', v.clientId],
  ['answer', 'camd-ans+jwt', 'clientEnc', 'hhSig'],
  ['signal', 'camd-sig+jwt', 'clientEnc', 'hhSig'],
  ['notice', 'camd-note+jwt', 'clientEnc', 'hhSig'],
  ['cameraCard', 'camd-card+jwt', 'guestEnc', 'clientSig', v.clientId],
]) {
  const jws = unsealed(v[name].jwe, key(to));
  assert.equal(jws, v[name].jws, name);
  assert.deepEqual(opened(jws, [typ], pub(by), kid).claims, v[name].claims, name);
}
assert.deepEqual(opened(v.epoch.jws, ['camd-epoch+jwt'], pub('identity')).claims, v.epoch.claims);

const forms = json('pkg/auth/envelope/testdata/refused.json');
const read = (jwe) => opened(unsealed(jwe, key('hhEnc')), ['camd-req+jwt'], pub('clientSig'), v.clientId);
read(forms.good);
for (const { why, jwe } of forms.refused) assert.throws(() => read(jwe), undefined, why);

// 6
const log = 'pkg/auth/accesslog/testdata';
const seed = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]);
const { kty, crv, x } = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
const of = { deviceId: 'abcdefghijklmnopqrstuvwxyz', ep: 1, log: { kty, crv, x } };
const now = readCheckpoint(text(`${log}/checkpoint.txt`), of);
const leaves = text(`${log}/entries.txt`).trimEnd().split('\n').map((t) => leafOf({ text: t }));
assert.equal(leaves.length, now.size);
assert.ok(rootOf(leaves).equals(now.root));
for (const { from, proof } of json(`${log}/proofs.json`)) {
  if (from) continues(readCheckpoint(from, of), now, proof.con);
  if (proof.entry) included(proof.entry, now);
}
const front = json(`${log}/front.json`);
assert.ok(rootOf(leaves.slice(front.forgot), front).equals(now.root));

// The vectors that docs/protocol.md names, read by the page's code.
import './globals.mjs';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { same } from '../setup/bytes.js';
import { Keys, opened, sealed, unsealed, verifyingKey } from '../setup/jose.js';
import { makeCard, readCard } from '../src/core/card.js';
import { readEntry } from '../src/core/entries.js';
import { moment, partOf, tell } from '../src/core/history.js';
import { keyText, readKey, readKeyCard, words } from '../src/core/keys.js';
import { continues, front, hash, included, leafOf, readCheckpoint, Tree } from '../src/core/log.js';

const text = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const v = JSON.parse(text('pkg/auth/envelope/testdata/vectors.json'));
const forms = JSON.parse(text('pkg/auth/envelope/testdata/refused.json'));

const pub = ({ kty, crv, x, y }) => ({ kty, crv, x, y });
const verifying = (name) => verifyingKey(pub(v.keys[name]));

async function pairOf(jwk, name, uses) {
  const take = (k, u) => crypto.subtle.importKey('jwk', k, { name, namedCurve: 'P-256' }, true, u);
  return { privateKey: await take(jwk, uses), publicKey: await take(pub(jwk), name === 'ECDSA' ? ['verify'] : []) };
}

const keysOf = async (sig, enc) => Keys.of(await pairOf(v.keys[sig], 'ECDSA', ['sign']), await pairOf(v.keys[enc], 'ECDH', ['deriveBits']));

const client = await keysOf('clientSig', 'clientEnc');
const guest = await keysOf('identity', 'guestEnc'); // of its signing key nothing depends
const household = { enc: await pairOf(v.keys.hhEnc, 'ECDH', ['deriveBits']) };

test('keys and their words', async () => {
  assert.equal(client.name, v.clientId);
  assert.equal(words(client.name), 'glad deal below market proof solution');
  assert.equal((await readKeyCard(v.keyCard)).name, v.clientId);
  const shown = await readKey(`  ${(await keyText(client)).replaceAll(/.{60}/g, '$&\n ')}\n`);
  assert.equal(shown.name, v.clientId);
  assert.equal(shown.words, words(v.clientId));
});

test('messages', async () => {
  for (const [name, typ, to, by, kid] of [
    ['request', 'camd-req+jwt', household, 'clientSig', v.clientId], ['answer', 'camd-ans+jwt', client, 'hhSig'],
    ['signal', 'camd-sig+jwt', client, 'hhSig'], ['notice', 'camd-note+jwt', client, 'hhSig'],
  ]) {
    const jws = await unsealed(v[name].jwe, to);
    assert.equal(jws, v[name].jws, name);
    assert.deepEqual(await opened(jws, typ, await verifying(by), kid), v[name].claims, name);
  }
  await unsealed(forms.good, household);
  for (const { why, jwe } of forms.refused) {
    await assert.rejects(async () => opened(await unsealed(jwe, household), 'camd-req+jwt', await verifying('clientSig'), v.clientId), why);
  }
});

test('a camera card, and what is none', async () => {
  const { record, signer, words: shown, by } = await readCard(v.cameraCard.jwe, guest);
  const { claims } = v.cameraCard;
  assert.deepEqual([record.device, record.epoch, record.member, record.role, record.broker.url, by, signer, shown],
    [claims.deviceId, claims.ep, claims.member, claims.role, claims.broker.url, claims.by, v.clientId, words(v.clientId)]);
  const refused = (card, keys) => assert.rejects(readCard(card, keys), (e) => e.name === 'Problem' && e.message.endsWith('.'));
  await refused(v.cameraCard.jwe, client);
  for (const card of ['', 'x', v.cameraCard.jws, `${v.cameraCard.jwe}A`, 'a.b.c.d.e', 'x'.repeat(20000), await keyText(client)]) await refused(card, guest);
  const made = { ...record, member: 'Anna', broker: { ...record.broker, web: 'wss://broker.example:8084/' } };
  const to = { encJwk: client.claims.encJwk, name: 'Mia', role: 'guest', camera: 'Door', login: { user: 'mia', password: 'secret' } };
  const again = await readCard(await makeCard(made, client, to), client);
  assert.deepEqual([again.record.broker.web, again.record.broker.user, again.record.member, again.by], ['wss://broker.example:8084/', 'mia', 'Mia', 'Anna']);
  await refused(await makeCard({ ...made, epoch: 7 }, client, to), client);
  const passedOn = await unsealed(v.cameraCard.jwe, guest); // what was written for the guest, by the guest
  await refused(await sealed(passedOn, client.claims.encJwk), client);
  await refused(await makeCard({ ...made, device: 'b'.repeat(26) }, client, to), client);
});

test('keys that are none', async () => {
  const key = await keyText(client);
  for (const bad of ['', 'hello', 'CAMD:1?d=x', 'CAMD-KEY:2?x', 'glad deal below market proof solution', key.slice(0, -2), key.replace('eyJ', 'eyK'), 'CAMD-KEY:1?..', `CAMD-KEY:1?${'x'.repeat(20000)}`]) {
    await assert.rejects(readKey(bad), (e) => e.name === 'Problem' && e.code === 'key' && e.message.endsWith('.'), bad);
  }
});

test('the access log', async () => {
  const log = 'pkg/auth/accesslog/testdata', seed = Uint8Array.from(atob('MC4CAQAwBQYDK2VwBCIEIA=='), (c) => c.charCodeAt(0));
  const pkcs8 = Uint8Array.from([...seed, ...Array(32).fill(7)]);
  const { kty, crv, x } = await crypto.subtle.exportKey('jwk', await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']));
  const of = { deviceId: 'abcdefghijklmnopqrstuvwxyz', ep: 1, log: { kty, crv, x } };
  const note = text(`${log}/checkpoint.txt`), now = await readCheckpoint(note, of);
  const lines = text(`${log}/entries.txt`).trimEnd().split('\n');
  const tree = new Tree();
  for (const l of lines) await tree.add(await leafOf(l));
  assert.equal(tree.size, now.size);
  assert.ok(same(await tree.root(), now.root));
  for (const { from, proof } of JSON.parse(text(`${log}/proofs.json`))) {
    if (from) {
      const old = await readCheckpoint(from, of);
      await continues(old, now, proof.con);
      if (proof.con?.length) {
        await assert.rejects(continues(old, now, [...proof.con, proof.con[0]]));
        await assert.rejects(continues(old, now, proof.con.slice(1)));
        await assert.rejects(continues(old, now, proof.con.with?.(0, 'A'.repeat(43)) ?? []));
      }
    }
    if (proof.entry) {
      await included(proof.entry, now);
      await assert.rejects(included({ ...proof.entry, text: `${proof.entry.text} ` }, now));
      await assert.rejects(included({ ...proof.entry, n: now.size }, now));
    }
  }
  const f = JSON.parse(text(`${log}/front.json`)), rest = new Tree(front(f));
  for (const l of lines.slice(f.forgot)) await rest.add(await leafOf(l));
  assert.ok(same(await rest.root(), now.root));
  for (const bad of [note.slice(1), note.replace('camd/', 'camd//'), `${note}\n`, note.replace('\n\n', '\n'), note.replace(/\n(\d+)\n/, '\n0$1\n'), '', undefined, 7, {}]) {
    await assert.rejects(readCheckpoint(bad, of), String(bad));
  }
  for (const bad of ['', 'AA', 'A'.repeat(44), undefined, {}]) assert.throws(() => hash(bad));
  for (const l of lines) assert.match(tell(readEntry(l), 'Europe/Berlin'), /^[^\p{C}]+\.$/u);
});

test('entries that are none', () => {
  for (const bad of ['', '{}', '{"v":2,"k":"ring"}', '{"v":1}', '{"v":1,"k":"ring","who":7}', '{"v":1,"k":"ring","sc":[1]}', '{"v":1,"k":"ring","K":"x"}', '[1]', 'x'.repeat(2000), undefined, '{"v":1,"k":"end","ref":1.5}']) {
    assert.throws(() => readEntry(bad), undefined, bad);
  }
});

test('a hostile entry is one harmless line', () => {
  const evil = 'a\u202eb\n<img src=x onerror=alert(1)>', all = ['epoch', 'pair', 'live', 'talk', 'snapshot', 'ring', 'end', 'grant', 'revoke', 'settings', 'privacy', 'evict', 'reset', 'alarm', 'rollback', 'update', 'certificate', 'refused', 'hostile', 'merged', '__proto__', 'constructor'];
  for (const k of all) {
    const e = readEntry(JSON.stringify({ v: 1, k, who: evil, name: evil, role: evil, op: '__proto__', net: 'mqtt', why: evil, code: evil, sub: evil, sname: evil, weekly: evil, step: evil, ver: evil, sc: ['constructor', evil], set: [evil, `name=${evil}`, 'toString=x'], drops: { a: evil }, nbf: 2 ** 53 - 1, exp: 2 ** 53 - 1 }));
    assert.doesNotMatch(tell(e, evil), /\p{C}/u, k);
    assert.doesNotMatch(Object.values(partOf({ ...e, op: 'talk', ref: 1 })).join(' '), /\p{C}/u, k);
  }
  assert.equal(moment(2 ** 53 - 1), 'a time that is none');
});

test('the end of a talk says whether the room heard it only where that is certain', () => {
  const ended = (why) => tell(readEntry(JSON.stringify({ v: 1, k: 'end', who: 'x', name: 'Ben', op: 'talk', why })), 'UTC');
  assert.equal(ended('bye'), 'Ben stopped talking.');
  assert.equal(ended('session ended'), 'Ben stopped talking: the picture ended.');
  assert.equal(ended('cancelled'), 'Ben was not heard: they ended it before it began.');
  assert.equal(ended('busy'), 'Ben was not heard: the camera was busy or stopping.');
  assert.equal(ended('privacy'), 'Ben was no longer allowed to talk: privacy mode was on.');
});

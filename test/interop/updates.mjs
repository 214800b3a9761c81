// A monitor that was written from docs/updates.md and the documents that it names, with
// node's own modules alone: updates.mjs ANCHORS FOLDER prints what any camera can install.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [anchors, folder] = process.argv.slice(2);
const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
const fail = (why) => { throw new Error(why); };
const ed25519 = (raw, message, signature) =>
  raw.length === 32 && signature.length === 64 &&
  verify(null, message, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' }), signature);

const read = (path, limit) => {
  const data = readFileSync(join(folder, path));
  return data.length > limit ? fail(`${path} is too large`) : data;
};

// TUF 1.0.31: canonical JSON has sorted members, and escapes nothing but " and \.
const canonical = (v) => {
  if (Array.isArray(v)) return `[${v.map(canonical).join(',')}]`;
  if (v && typeof v === 'object') return `{${Object.keys(v).sort().map((k) => `${canonical(k)}:${canonical(v[k])}`).join(',')}}`;
  if (typeof v === 'string') return `"${v.replace(/["\\]/g, '\\$&')}"`;
  return String(v);
};

// signed checks that enough different keys of a role have signed.
const signed = (doc, keys, role, what) => {
  const good = new Set();
  for (const s of doc.signatures) {
    const key = keys[s.keyid];
    if (!role.keyids.includes(s.keyid) || key?.keytype !== 'ed25519' || key.scheme !== 'ed25519') continue;
    const raw = Buffer.from(key.keyval.public, 'hex');
    if (ed25519(raw, Buffer.from(canonical(doc.signed)), Buffer.from(s.sig, 'hex'))) good.add(raw.toString('hex'));
  }
  if (good.size < role.threshold) fail(`${what}: ${good.size} of ${role.threshold} signatures`);
  return doc.signed;
};

const fresh = (s, type) => {
  if (s._type !== type) fail(`${type} says that it is ${s._type}`);
  if (new Date(s.expires) < new Date()) fail(`${type} is out of date`);
  return s;
};

// named reads the metadata that others name, and no other version of them.
const named = (role, meta, limit) => {
  const data = read(`metadata/${meta.version}.${role}.json`, meta.length ?? limit);
  if (meta.hashes && sha256(data).toString('hex') !== meta.hashes.sha256) fail(`${role} does not belong to the rest`);
  const doc = JSON.parse(data);
  if (doc.signed.version !== meta.version) fail(`${role} has another version`);
  return doc;
};

const metadata = () => {
  let doc = JSON.parse(readFileSync(join(anchors, 'root.json')));
  let root = signed(doc, doc.signed.keys, doc.signed.roles.root, 'root');
  for (let n = root.version + 1; existsSync(join(folder, `metadata/${n}.root.json`)); n++) {
    doc = JSON.parse(read(`metadata/${n}.root.json`, 512000));
    signed(doc, root.keys, root.roles.root, `root ${n}`);
    root = signed(doc, doc.signed.keys, doc.signed.roles.root, `root ${n}`);
    if (root.version !== n) fail(`root ${n} has another version`);
  }
  fresh(root, 'root');
  const top = (role, d) => fresh(signed(d, root.keys, root.roles[role], role), role);
  const timestamp = top('timestamp', JSON.parse(read('metadata/timestamp.json', 16384)));
  const snapshot = top('snapshot', named('snapshot', timestamp.meta['snapshot.json'], 2000000));
  const targets = top('targets', named('targets', snapshot.meta['targets.json'], 5000000));
  const role = targets.delegations.roles.find((r) => r.name === 'rollout');
  const rollout = fresh(signed(named('rollout', snapshot.meta['rollout.json'], 5000000), targets.delegations.keys, role, 'rollout'), 'targets');
  return { targets, rollout };
};

// C2SP signed-note: a verifier's key, and the lines of signatures.
const verifier = (line) => {
  const [name, hash, key] = [line.split('+')[0], line.split('+')[1], Buffer.from(line.split('+').slice(2).join('+'), 'base64')];
  if (sha256(name, '\n', key).subarray(0, 4).toString('hex') !== hash) fail(`the key of ${name} has another hash`);
  return { name, hash, kind: key[0], raw: key.subarray(1) };
};

const checkpoint = () => {
  const log = verifier(readFileSync(join(anchors, 'log.pub'), 'utf8').trim());
  const lines = readFileSync(join(anchors, 'witnesses'), 'utf8').split('\n').filter((l) => l.trim() && !l.startsWith('#'));
  const need = Number(lines.find((l) => l.startsWith('n=')).slice(2));
  const witnesses = lines.filter((l) => !l.startsWith('n=')).map(verifier);
  const text = read('log/checkpoint', 16384).toString();
  const cut = text.indexOf('\n\n');
  const body = text.slice(0, cut + 1);
  const by = (v) => text.slice(cut + 2).split('\n').some((line) => {
    const [, name, sig] = line.match(/^— (\S+) (\S+)$/) ?? [];
    const raw = Buffer.from(sig ?? '', 'base64');
    if (name !== v.name || raw.subarray(0, 4).toString('hex') !== v.hash) return false;
    if (v.kind === 1) return ed25519(v.raw, Buffer.from(body), raw.subarray(4));
    const time = raw.readBigUInt64BE(4); // C2SP tlog-cosignature, Ed25519
    return v.kind === 4 && ed25519(v.raw, Buffer.from(`cosignature/v1\ntime ${time}\n${body}`), raw.subarray(12));
  });
  if (!by(log)) fail('the log has not signed its checkpoint');
  const have = witnesses.filter(by).length;
  if (have < need) fail(`${have} of ${need} witnesses`);
  const [origin, size, root, ...rest] = body.split('\n');
  if (origin !== log.name || rest.join('') !== '') fail('the checkpoint is of another log');
  return { size: Number(size), root: Buffer.from(root, 'base64') };
};

// RFC 6962 2.1.
const treeHash = (leaves) => {
  if (leaves.length === 0) return sha256('');
  if (leaves.length === 1) return leaves[0];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.from([1]), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
};

// C2SP tlog-tiles: the path of a tile or bundle, of which the tree has so many.
const path = (n, width) => {
  let s = String(n % 1000).padStart(3, '0');
  for (n = Math.floor(n / 1000); n > 0; n = Math.floor(n / 1000)) s = `x${String(n % 1000).padStart(3, '0')}/${s}`;
  return width === 256 ? s : `${s}.p/${width}`;
};

const entries = ({ size, root }) => {
  const texts = [];
  for (let n = 0; n * 256 < size; n++) {
    const width = Math.min(256, size - n * 256);
    let data = read(`log/tile/entries/${path(n, width)}`, 131584);
    for (let i = 0; i < width; i++) {
      const length = data.readUInt16BE(0);
      texts.push(data.subarray(2, 2 + length));
      data = data.subarray(2 + length);
    }
    const hashes = texts.slice(n * 256).map((t) => sha256(Buffer.from([0]), t));
    if (!Buffer.concat(hashes).equals(read(`log/tile/0/${path(n, width)}`, 8192))) fail(`tile ${n} is not of its entries`);
  }
  if (!treeHash(texts.map((t) => sha256(Buffer.from([0]), t))).equals(root)) fail('the entries are not those of the checkpoint');
  return texts.map((t) => t.toString());
};

const { targets, rollout } = metadata();
const log = entries(checkpoint());
const releases = Object.entries(targets.targets).map(([name, { custom: c }]) => {
  const leaf = `{"compatible":"${c.compatible}","manifest":"${c.manifest}","targets":${c.targets},"version":"${c.version}"}`;
  if (name !== `${c.compatible}-${c.version}.raucb`) fail(`${name} is another release's name`);
  if (log[c.log] !== leaf || c.targets > targets.version) fail(`${c.version} does not stand in the log`);
  const share = rollout.targets[`rollout/${c.compatible}`]?.custom.releases.find((r) => r.version === c.version);
  const place = sha256(`device-1\n${c.version}`).readBigUInt64BE(0) % 10000n;
  return { version: c.version, index: c.log, taken: Boolean(share && !share.halted && place < share.percent * 100) };
});
console.log(JSON.stringify({ entries: log.length, releases: releases.sort((a, b) => a.index - b.index) }));

// The access log as a client sees it: docs/protocol.md 6.6 to 6.8.
import { verify } from 'node:crypto';
import { canonical, publicKey, sha256 } from './wire.mjs';

const leaf = (bytes) => sha256(Buffer.from([0]), bytes);
const node = (left, right) => sha256(Buffer.from([1]), left, right);

// readCheckpoint takes the one form of 6.6.
export function readCheckpoint(note, { deviceId, ep, log }) {
  const origin = `camd/${deviceId}/${ep}`;
  const m = /^(.*\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/=]{44})\n)\n— (.*) ([A-Za-z0-9+/=]+)\n$/.exec(note);
  if (!m || note.length > 1024 || m[1] !== `${origin}\n${m[2]}\n${m[3]}\n` || m[4] !== origin) throw new Error('not a checkpoint of this log');
  const signature = Buffer.from(m[5], 'base64');
  const hash = sha256(`${origin}\n`, Buffer.from([1]), canonical(log.x)).subarray(0, 4);
  if (!signature.subarray(0, 4).equals(hash) || !verify(null, Buffer.from(m[1]), publicKey(log), signature.subarray(4))) {
    throw new Error('the checkpoint is not signed by this log');
  }
  return { note, size: Number(m[2]), root: Buffer.from(m[3], 'base64') };
}

// rootOf is RFC 6962 2.1 over leaf hashes, before which whole subtrees may stand for what
// is forgotten (4.12): one for each bit of their number.
export function rootOf(leaves, { forgot = 0, peaks = [] } = {}) {
  const whole = peaks.map(canonical); // the largest first
  leaves.forEach((hash, i) => {
    let h = hash;
    for (let n = forgot + i; n % 2 === 1; n = half(n)) h = node(whole.pop(), h);
    whole.push(h);
  });
  if (whole.length === 0) return sha256('');
  return whole.reduceRight((right, left) => node(left, right));
}

// leafOf is a record's of 4.12.
export const leafOf = (record) => (record.hash ? canonical(record.hash) : leaf(record.text));

// included is RFC 6962 2.1.1, as RFC 9162 2.1.3.2 verifies it.
export function included({ n, text, path }, { size, root }) {
  let [fn, sn, r] = [n, size - 1, leaf(text)];
  if (n >= size) throw new Error('the entry is beyond the log');
  for (const p of path.map(canonical)) {
    if (sn === 0) throw new Error('a hash too many');
    if (fn % 2 === 1 || fn === sn) {
      r = node(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      r = node(r, p);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0 || !r.equals(root)) throw new Error('the entry is not in the log');
}

const half = (n) => Math.floor(n / 2);

// continues is RFC 6962 2.1.2, as RFC 9162 2.1.4.2 verifies it.
export function continues(old, now, con = []) {
  if (now.size < old.size) throw new Error('entries are gone');
  if (now.size === old.size) {
    if (!now.root.equals(old.root)) throw new Error('two logs of one size');
    return;
  }
  if (old.size === 0) return;
  const path = con.map(canonical);
  if ((old.size & (old.size - 1)) === 0) path.unshift(old.root);
  let [fn, sn] = [old.size - 1, now.size - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let [fr, sr] = [path[0], path[0]];
  for (const c of path.slice(1)) {
    if (sn === 0) throw new Error('a hash too many');
    if (fn % 2 === 1 || fn === sn) {
      [fr, sr] = [node(c, fr), node(c, sr)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      sr = node(sr, c);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0 || !fr?.equals(old.root) || !sr.equals(now.root)) throw new Error('the log does not continue');
}

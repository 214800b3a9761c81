// What proves the access log: checkpoints, proofs, and the tree over all entries. docs/protocol.md
// 6.6 and 6.7. Whatever does not hold throws.
import { base64, concat, fromBase64, fromBase64url, same, sha256, utf8 } from '../../setup/bytes.js';

const longestNote = 1024, longestPath = 106;

const half = (n) => Math.floor(n / 2);
const node = (left, right) => sha256(Uint8Array.of(1), left, right);

// leafOf returns the hash of an entry's bytes.
export const leafOf = (text) => sha256(Uint8Array.of(0), utf8(text));

// hash reads one of the 32 bytes of SHA-256.
export function hash(text) {
  const bytes = fromBase64url(text);
  if (bytes.length !== 32) throw new Error('a hash of another size');
  return bytes;
}

function hashes(list = []) {
  if (!Array.isArray(list) || list.length > longestPath) throw new Error('not a path');
  return list.map(hash);
}

const isCount = (n) => Number.isSafeInteger(n) && n >= 0;

// ed25519 is a key of 2.1.
export async function ed25519({ kty, crv, x, ...more }) {
  if (kty !== 'OKP' || crv !== 'Ed25519' || Object.keys(more).length > 0) throw new Error('not an Ed25519 key');
  return crypto.subtle.importKey('raw', hash(x), 'Ed25519', true, ['verify']);
}

/**
 * readCheckpoint reads the one form that a signed checkpoint of a household's log has.
 * @param {string} note
 * @param {{deviceId: string, ep: number, log: object}} trio
 * @returns {Promise<{note: string, size: number, root: Uint8Array}>}
 */
export async function readCheckpoint(note, { deviceId, ep, log }) {
  const origin = `camd/${deviceId}/${ep}`;
  const m = typeof note === 'string' && note.length <= longestNote
    && /^([^\n]*)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/=]{44})\n\n— ([^\n]*) ([A-Za-z0-9+/=]+)\n$/.exec(note);
  if (!m || m[1] !== origin || m[4] !== origin || !isCount(Number(m[2]))) throw new Error('not a checkpoint of this log');
  const signed = `${origin}\n${m[2]}\n${m[3]}\n`, root = fromBase64(m[3]), signature = fromBase64(m[5]);
  const keyHash = (await sha256(utf8(`${origin}\n`), Uint8Array.of(1), hash(log.x))).subarray(0, 4);
  if (root.length !== 32 || signature.length !== 68 || !same(signature.subarray(0, 4), keyHash)
    || !await crypto.subtle.verify('Ed25519', await ed25519(log), signature.subarray(4), utf8(signed))) {
    throw new Error('the checkpoint is not signed by this log');
  }
  if (Number(m[2]) === 0 && base64(await sha256()) !== m[3]) throw new Error('a log of nothing has another hash');
  return { note, size: Number(m[2]), root };
}

// front reads what stands for entries of which nothing but common hashes is kept (4.12): forgot of them.
export function front({ forgot = 0, peaks = [] }) {
  const list = hashes(peaks);
  if (!isCount(forgot) || forgot.toString(2).replaceAll('0', '').length !== list.length) throw new Error('peaks of another number of entries');
  return { forgot, peaks: list };
}

/** Tree is RFC 6962 2.1: it grows by leaf hashes, over a front or from the first one on. */
export class Tree {
  #whole; // roots of whole subtrees, the largest first

  constructor({ forgot, peaks } = { forgot: 0, peaks: [] }) {
    this.size = forgot;
    this.#whole = [...peaks];
  }

  async add(leaf) {
    let h = leaf;
    for (let n = this.size; n % 2 === 1; n = half(n)) h = await node(this.#whole.pop(), h);
    this.#whole.push(h);
    this.size++;
  }

  async root() {
    if (this.#whole.length === 0) return sha256();
    let root = this.#whole.at(-1);
    for (const left of this.#whole.slice(0, -1).reverse()) root = await node(left, root);
    return root;
  }
}

// included is RFC 6962 2.1.1, as RFC 9162 2.1.3.2 verifies it.
export async function included({ n, text, path }, { size, root }) {
  if (!isCount(n ?? 0) || (n ?? 0) >= size || typeof text !== 'string') throw new Error('the entry is beyond the log');
  let fn = n ?? 0, sn = size - 1, r = await leafOf(text);
  for (const p of hashes(path)) {
    if (sn === 0) throw new Error('a hash too many');
    if (fn % 2 === 1 || fn === sn) {
      r = await node(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      r = await node(r, p);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0 || !same(r, root)) throw new Error('the entry is not in the log');
}

// How one checkpoint contradicts another.
export class Contradiction extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind; // 'rollback', 'fork' or 'proof'
  }
}

// continues is RFC 6962 2.1.2, as RFC 9162 2.1.4.2 verifies it: the log of now begins with
// that of old.
export async function continues(old, now, con) {
  if (now.size < old.size) throw new Contradiction('rollback', 'entries are gone');
  if (now.size === old.size) {
    if (!same(now.root, old.root)) throw new Contradiction('fork', 'two logs of one size');
    return;
  }
  if (old.size === 0) return;
  try {
    await proved(old, now, hashes(con));
  } catch (error) {
    throw new Contradiction('proof', error.message);
  }
}

const isPowerOf2 = (n) => Number.isInteger(Math.log2(n)) && 2 ** Math.log2(n) === n;

async function proved(old, now, path) {
  if (isPowerOf2(old.size)) path.unshift(old.root);
  if (path.length === 0) throw new Error('no proof');
  let fn = old.size - 1, sn = now.size - 1;
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let fr = path[0], sr = path[0];
  for (const c of path.slice(1)) {
    if (sn === 0) throw new Error('a hash too many');
    if (fn % 2 === 1 || fn === sn) {
      [fr, sr] = [await node(c, fr), await node(c, sr)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      sr = await node(sr, c);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0 || !same(fr, old.root) || !same(sr, now.root)) throw new Error('the log does not continue');
}

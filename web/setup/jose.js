// A client's keys, signed messages and sealed ones: docs/protocol.md 2 and 4.1.
import { base64url, concat, fromBase64url, json, sha256, utf8 } from './bytes.js';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }, es256 = { name: 'ECDSA', hash: 'SHA-256' };
const ecdh = { name: 'ECDH', namedCurve: 'P-256' };
const maxMessage = 16384;

const has = (object, ...names) => Object.keys(object).sort().join() === names.sort().join();

// thumbprint is 1.2: the name of who holds the key.
export const thumbprint = async ({ x, y }) => base64url(await sha256(utf8(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`)));

// publicJwk is 2.1: these members in this order and no other.
async function publicJwk(key) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', key);
  return { kty, crv, x, y };
}

// readJwk takes a P-256 key as 2.1 wants it; WebCrypto sees that it is on the curve.
async function readJwk(jwk, algorithm, uses) {
  if (!has(jwk, 'kty', 'crv', 'x', 'y') || jwk.kty !== 'EC' || jwk.crv !== 'P-256') throw new Error('not a P-256 key');
  for (const c of [jwk.x, jwk.y]) if (fromBase64url(c).length !== 32) throw new Error('a coordinate of another size');
  return crypto.subtle.importKey('jwk', jwk, algorithm, true, uses);
}

export const verifyingKey = (jwk) => readJwk(jwk, ecdsa, ['verify']);

export const identityKey = (spki) => crypto.subtle.importKey('spki', spki, ecdsa, true, ['verify']);

// Keys are a client's two (2.2). The page keeps the pairs, which IndexedDB takes as they are.
export class Keys {
  constructor(sig, enc, claims, name) {
    Object.assign(this, { sig, enc, claims, name });
  }

  // of takes two CryptoKeyPairs: ECDSA to sign, ECDH to derive bits, both on P-256.
  static async of(sig, enc) {
    const claims = { sigJwk: await publicJwk(sig.publicKey), encJwk: await publicJwk(enc.publicKey) };
    return new Keys(sig, enc, claims, await thumbprint(claims.sigJwk));
  }

  // make makes two that nothing can export.
  static async make() {
    return Keys.of(await crypto.subtle.generateKey(ecdsa, false, ['sign', 'verify']), await crypto.subtle.generateKey(ecdh, false, ['deriveBits']));
  }

  // sign is 2.5. The order of members is that of 3.12.3.
  async sign(typ, claims) {
    const text = [{ alg: 'ES256', kid: this.name, typ }, claims].map((part) => base64url(utf8(JSON.stringify(part)))).join('.');
    return `${text}.${base64url(new Uint8Array(await crypto.subtle.sign(es256, this.sig.privateKey, utf8(text))))}`;
  }

  // card is 2.3.
  card() { return this.sign('camd-key+jwt', this.claims); }
}

// split reads a signed message; kid is the signer's name where it is a client, and absent
// where it is a device.
function split(jws, typ, kid) {
  const [header, claims, signature, more] = String(jws).split('.');
  const head = json(fromBase64url(header));
  const members = kid === undefined ? ['alg', 'typ'] : ['alg', 'kid', 'typ'];
  if (more !== undefined || !has(head, ...members) || head.alg !== 'ES256' || head.typ !== typ || head.kid !== kid) throw new Error(`not a ${typ}`);
  return { text: utf8(`${header}.${claims}`), signature: fromBase64url(signature), claims: json(fromBase64url(claims)) };
}

// peek returns what a device's message claims, unverified.
export const peek = (jws, typ) => split(jws, typ).claims;

// header returns a signed message's own, unverified: what it says of its type and signer.
export const header = (jws) => json(fromBase64url(String(jws).split('.')[0]));

// opened verifies what a device signed, or the client that is named kid.
export async function opened(jws, typ, key, kid) {
  const { text, signature, claims } = split(jws, typ, kid);
  if (signature.length !== 64 || !await crypto.subtle.verify(es256, key, signature, text)) throw new Error('bad signature');
  return claims;
}

// unsealed opens what was sealed for a client: 4.1.
export async function unsealed(jwe, keys) {
  if (jwe.length > maxMessage) throw new Error('too large');
  const [header, none, iv, text, tag, more] = jwe.split('.');
  const head = json(fromBase64url(header));
  if (more !== undefined || none !== '' || !has(head, 'alg', 'enc', 'cty', 'epk') || head.alg !== 'ECDH-ES' || head.enc !== 'A256GCM' || head.cty !== 'JWT') {
    throw new Error('not a sealed message');
  }
  const [nonce, sealed, mac] = [iv, text, tag].map(fromBase64url);
  if (nonce.length !== 12 || mac.length !== 16) throw new Error('iv or tag of another size');
  const shared = await crypto.subtle.deriveBits({ name: 'ECDH', public: await readJwk(head.epk, ecdh, []) }, keys.enc.privateKey, 256);
  const key = await crypto.subtle.importKey('raw', await contentKey(new Uint8Array(shared)), 'AES-GCM', false, ['decrypt']);
  const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce, additionalData: utf8(header) }, key, concat(sealed, mac));
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plain);
}

// sealed seals a signed message for who has the key of jwk: 4.1.
export async function sealed(jws, jwk) {
  const to = await readJwk(jwk, ecdh, []);
  const once = await crypto.subtle.generateKey(ecdh, false, ['deriveBits']);
  const header = base64url(utf8(JSON.stringify({ alg: 'ECDH-ES', enc: 'A256GCM', cty: 'JWT', epk: await publicJwk(once.publicKey) })));
  const shared = await crypto.subtle.deriveBits({ name: 'ECDH', public: to }, once.privateKey, 256);
  const key = await crypto.subtle.importKey('raw', await contentKey(new Uint8Array(shared)), 'AES-GCM', false, ['encrypt']);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const out = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: utf8(header) }, key, utf8(jws)));
  const jwe = [header, '', base64url(iv), base64url(out.subarray(0, -16)), base64url(out.subarray(-16))].join('.');
  if (jwe.length > maxMessage) throw new Error(`${jwe.length} bytes are too many`);
  return jwe;
}

// contentKey is RFC 7518 section 4.6.2 for A256GCM.
function contentKey(shared) {
  const u32 = (n) => Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
  return sha256(u32(1), shared, u32(7), utf8('A256GCM'), u32(0), u32(0), u32(256));
}

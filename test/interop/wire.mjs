// Keys, signed messages and sealed ones: docs/protocol.md 2 and 4.1.
import {
  createCipheriv, createDecipheriv, createHash, createPrivateKey, createPublicKey,
  diffieHellman, generateKeyPairSync, randomBytes, sign, verify,
} from 'node:crypto';

export const sha256 = (...parts) => {
  const h = createHash('sha256');
  for (const p of parts) h.update(p);
  return h.digest();
};

export const b64 = (bytes) => Buffer.from(bytes).toString('base64url');

// canonical reads base64url as 1.5 wants it: no other character, spare bits zero.
export function canonical(text) {
  const bytes = Buffer.from(text, 'base64url');
  if (b64(bytes) !== text) throw new Error(`not canonical base64url: ${text}`);
  return bytes;
}

export const token = () => b64(randomBytes(16));

const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

// 2.1: these members and no other.
export function publicJwk(key) {
  const { kty, crv, x, y } = createPublicKey(key).export({ format: 'jwk' });
  return { kty, crv, x, y };
}

export function publicKey(jwk) {
  for (const c of [jwk.x, jwk.y ?? jwk.x]) if (canonical(c).length !== 32) throw new Error('a coordinate of another size');
  return createPublicKey({ key: jwk, format: 'jwk' });
}

// 1.2
export const thumbprint = ({ x, y }) =>
  b64(sha256(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`));

// Keys are a client's two: 2.2.
export class Keys {
  constructor(sig = p256(), enc = p256()) {
    this.sig = sig;
    this.enc = enc;
    this.claims = { sigJwk: publicJwk(sig), encJwk: publicJwk(enc) };
    this.name = thumbprint(this.claims.sigJwk);
  }

  // 2.3
  card() { return signed('camd-key+jwt', this.claims, this.sig, this.name); }

  save() { return [this.sig, this.enc].map((k) => k.export({ format: 'jwk' })); }

  static load(jwks) {
    return new Keys(...jwks.map((key) => createPrivateKey({ key, format: 'jwk' })));
  }
}

// 2.5
export function signed(typ, claims, key, kid) {
  const header = kid ? { alg: 'ES256', typ, kid } : { alg: 'ES256', typ };
  const text = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(claims))}`;
  return `${text}.${b64(sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }))}`;
}

// opened checks type and signature; what a device signs has no kid.
export function opened(jws, typ, key, kid) {
  const [header, claims, signature, more] = jws.split('.');
  const head = JSON.parse(canonical(header));
  if (more !== undefined || head.alg !== 'ES256' || head.kid !== kid || Object.keys(head).length !== (kid ? 3 : 2)) throw new Error('not a signed message');
  if (!typ.includes(head.typ)) throw new Error(`typ ${head.typ}, want ${typ}`);
  const text = Buffer.from(`${header}.${claims}`);
  if (canonical(signature).length !== 64 || !verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, canonical(signature))) throw new Error('bad signature');
  return { typ: head.typ, claims: JSON.parse(canonical(claims)) };
}

// contentKey is RFC 7518 section 4.6.2 for A256GCM.
function contentKey(privateKey, publicKey) {
  const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
  const z = diffieHellman({ privateKey, publicKey });
  return sha256(u32(1), z, u32(7), 'A256GCM', u32(0), u32(0), u32(256));
}

const maxMessage = 16384;

// 4.1
export function sealed(jws, jwk) {
  const once = p256();
  const header = b64(JSON.stringify({ alg: 'ECDH-ES', enc: 'A256GCM', cty: 'JWT', epk: publicJwk(once) }));
  const iv = randomBytes(12);
  const c = createCipheriv('aes-256-gcm', contentKey(once, publicKey(jwk)), iv);
  c.setAAD(Buffer.from(header));
  const text = Buffer.concat([c.update(jws), c.final()]);
  const jwe = [header, '', b64(iv), b64(text), b64(c.getAuthTag())].join('.');
  if (jwe.length > maxMessage) throw new Error(`${jwe.length} bytes are too many`);
  return jwe;
}

export function unsealed(jwe, key) {
  if (jwe.length > maxMessage) throw new Error('too large');
  const [header, none, iv, text, tag] = jwe.split('.');
  const head = JSON.parse(canonical(header));
  if (head.alg !== 'ECDH-ES' || head.enc !== 'A256GCM' || head.cty !== 'JWT' || Object.keys(head).length !== 4 || none !== '') throw new Error('not a sealed message');
  if (canonical(iv).length !== 12 || canonical(tag).length !== 16) throw new Error('iv or tag of another size');
  const d = createDecipheriv('aes-256-gcm', contentKey(key, publicKey(head.epk)), canonical(iv), { authTagLength: 16 });
  d.setAAD(Buffer.from(header));
  d.setAuthTag(canonical(tag));
  return Buffer.concat([d.update(canonical(text)), d.final()]).toString();
}

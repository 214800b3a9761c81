// The handshake, Noise_NNpsk0_25519_AESGCM_SHA256: docs/protocol.md 3.4.
import { base64url, concat, sha256, utf8 } from './bytes.js';
import { expect, problem } from './problem.js';

const none = new Uint8Array();
const maxMessage = 16384, tagSize = 16;

// Cipher is Noise's CipherState with AESGCM.
class Cipher {
  #n = 0;

  constructor(bits) {
    this.key = crypto.subtle.importKey('raw', bits, 'AES-GCM', false, ['encrypt', 'decrypt']);
  }

  #parameters(additionalData) {
    const iv = new Uint8Array(12);
    new DataView(iv.buffer).setUint32(8, this.#n++); // nobody comes to 2^32 messages
    return { name: 'AES-GCM', iv, additionalData };
  }

  async encrypt(ad, text) { return new Uint8Array(await crypto.subtle.encrypt(this.#parameters(ad), await this.key, text)); }

  async decrypt(ad, bytes) { return new Uint8Array(await crypto.subtle.decrypt(this.#parameters(ad), await this.key, bytes)); }
}

// Symmetric is Noise's SymmetricState with SHA256.
class Symmetric {
  static async of(name) {
    const s = new Symmetric();
    s.h = s.ck = utf8(name); // it has 32 bytes
    return s;
  }

  // hkdf is Noise's, which is that of RFC 5869 without info.
  async hkdf(input, n) {
    const key = await crypto.subtle.importKey('raw', input, 'HKDF', false, ['deriveBits']);
    const bits = new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: this.ck, info: none }, key, 256 * n));
    return Array.from({ length: n }, (_, i) => bits.subarray(32 * i, 32 * (i + 1)));
  }

  async mixHash(data) { this.h = await sha256(this.h, data); }

  async mixKey(input) {
    const [ck, key] = await this.hkdf(input, 2);
    this.ck = ck;
    this.cipher = new Cipher(key);
  }

  async mixKeyAndHash(input) {
    const [ck, hash, key] = await this.hkdf(input, 3);
    this.ck = ck;
    await this.mixHash(hash);
    this.cipher = new Cipher(key);
  }

  async encrypt(text) {
    const out = await this.cipher.encrypt(this.h, text);
    await this.mixHash(out);
    return out;
  }

  async decrypt(bytes) {
    const out = await this.cipher.decrypt(this.h, bytes);
    await this.mixHash(bytes);
    return out;
  }
}

// handshake is the initiator's side over conn, which sends and receives whole messages. It
// returns h and what carries the messages after it.
export async function handshake(conn, psk) {
  const s = await Symmetric.of('Noise_NNpsk0_25519_AESGCM_SHA256');
  await s.mixHash(utf8('camd-pair-v1'));
  const pair = await expect('old', () => crypto.subtle.generateKey('X25519', false, ['deriveBits']));
  const own = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  await s.mixKeyAndHash(psk); // psk
  await s.mixHash(own); // e
  await s.mixKey(own);
  await conn.send(concat(own, await s.encrypt(none)));
  const answer = await conn.receive();
  if (answer.length !== 32 + tagSize) throw problem('protocol');
  const theirs = answer.slice(0, 32);
  await s.mixHash(theirs); // e
  await s.mixKey(theirs);
  await expect('secret', async () => {
    const other = await crypto.subtle.importKey('raw', theirs, 'X25519', true, []);
    await s.mixKey(new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: other }, pair.privateKey, 256))); // ee
    await s.decrypt(answer.slice(32));
  });
  const [out, back] = (await s.hkdf(none, 2)).map((key) => new Cipher(key));
  return {
    h: base64url(s.h),
    send: async (text) => {
      const message = await out.encrypt(none, utf8(text));
      if (message.length > maxMessage) throw problem('protocol');
      await conn.send(message);
    },
    receive: async () => {
      const message = await conn.receive();
      return expect('tampered', () => back.decrypt(none, message));
    },
  };
}

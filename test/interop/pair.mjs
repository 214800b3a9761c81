// Pairing over the local socket: docs/protocol.md 3 and 10.
import {
  createCipheriv, createDecipheriv, createHmac, createPublicKey, diffieHellman,
  generateKeyPairSync, hkdfSync, X509Certificate,
} from 'node:crypto';
import { connect } from 'node:net';
import { b64, canonical, opened, publicKey, sha256, signed } from './wire.mjs';

// local sends one command to camd's socket.
export async function local(path, command) {
  const socket = connect(path);
  const bytes = reader(socket);
  socket.write(`${JSON.stringify(command)}\n`);
  const answer = JSON.parse(await bytes.line());
  if (!answer.ok) throw new Error(answer.error);
  return { answer, socket, bytes };
}

// reader takes bytes and lines out of a stream.
function reader(stream) {
  const chunks = stream[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  const fill = async () => {
    const { value, done } = await chunks.next();
    if (done) throw new Error('camd hung up');
    held = Buffer.concat([held, value]);
  };
  const take = async (n) => {
    while (held.length < n) await fill();
    const out = held.subarray(0, n);
    held = held.subarray(n);
    return out;
  };
  return {
    take,
    line: async () => {
      while (!held.includes(10)) await fill();
      return (await take(held.indexOf(10) + 1)).toString();
    },
  };
}

// 3.1
export function readLabel(text) {
  const m = /^CAMD:1\?d=([a-z2-7]{26})&s=([a-z2-7]{26})&k=([A-Za-z0-9_-]{43})$/.exec(text);
  if (!m) throw new Error('not a label');
  return { device: m[1], secret: base32(m[2]), key: canonical(m[3]) };
}

function base32(text) {
  let bits = '';
  for (const c of text) bits += 'abcdefghijklmnopqrstuvwxyz234567'.indexOf(c).toString(2).padStart(5, '0');
  return Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
}

// 3.3
const psk = ({ device, secret }) =>
  Buffer.from(hkdfSync('sha256', secret, sha256(device), 'camd/pair/psk/1', 32));

// Cipher is Noise's CipherState with AESGCM.
class Cipher {
  constructor(key) { this.key = key; this.n = 0n; }

  nonce() {
    const b = Buffer.alloc(12);
    b.writeBigUInt64BE(this.n++, 4);
    return b;
  }

  encrypt(ad, text) {
    const c = createCipheriv('aes-256-gcm', this.key, this.nonce());
    c.setAAD(ad);
    return Buffer.concat([c.update(text), c.final(), c.getAuthTag()]);
  }

  decrypt(ad, bytes) {
    const d = createDecipheriv('aes-256-gcm', this.key, this.nonce());
    d.setAAD(ad);
    d.setAuthTag(bytes.subarray(-16));
    return Buffer.concat([d.update(bytes.subarray(0, -16)), d.final()]);
  }
}

const none = Buffer.alloc(0);

// Symmetric is Noise's SymmetricState with SHA256.
class Symmetric {
  constructor(name) { this.h = Buffer.from(name); this.ck = this.h; }

  hkdf(input, n) {
    const hmac = (key, ...parts) => parts.reduce((m, p) => m.update(p), createHmac('sha256', key)).digest();
    const temp = hmac(this.ck, input);
    const out = [];
    for (let i = 1; i <= n; i++) out.push(hmac(temp, out.at(-1) ?? none, Buffer.from([i])));
    return out;
  }

  mixHash(data) { this.h = sha256(this.h, data); }

  mixKey(input) {
    const [ck, key] = this.hkdf(input, 2);
    this.ck = ck;
    this.cipher = new Cipher(key);
  }

  mixKeyAndHash(input) {
    const [ck, hash, key] = this.hkdf(input, 3);
    this.ck = ck;
    this.mixHash(hash);
    this.cipher = new Cipher(key);
  }

  encrypt(text) {
    const out = this.cipher.encrypt(this.h, text);
    this.mixHash(out);
    return out;
  }

  decrypt(bytes) {
    const out = this.cipher.decrypt(this.h, bytes);
    this.mixHash(bytes);
    return out;
  }
}

const raw = (key) => Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x, 'base64url');

// 3.4
async function handshake(conn, secret) {
  const s = new Symmetric('Noise_NNpsk0_25519_AESGCM_SHA256');
  s.mixHash(Buffer.from('camd-pair-v1'));
  const { privateKey } = generateKeyPairSync('x25519');
  const own = raw(privateKey);
  s.mixKeyAndHash(secret); // psk
  s.mixHash(own); // e
  s.mixKey(own);
  conn.send(Buffer.concat([own, s.encrypt(none)]));
  const answer = await conn.receive();
  if (answer.length !== 48) throw new Error('not a handshake message');
  const theirs = answer.subarray(0, 32);
  s.mixHash(theirs); // e
  s.mixKey(theirs);
  const other = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: b64(theirs) }, format: 'jwk' });
  s.mixKey(diffieHellman({ privateKey, publicKey: other })); // ee
  s.decrypt(answer.subarray(32));
  const [out, back] = s.hkdf(none, 2).map((key) => new Cipher(key));
  return {
    h: b64(s.h),
    send: (message) => conn.send(out.encrypt(none, Buffer.from(JSON.stringify(message)))),
    receive: async () => JSON.parse(back.decrypt(none, await conn.receive())),
  };
}

// framed is 3.4.2.
const framed = (socket, bytes) => ({
  send: (message) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(message.length);
    socket.write(Buffer.concat([head, message]));
  },
  receive: async () => {
    const n = (await bytes.take(4)).readUInt32BE();
    if (n === 0 || n > 16384) throw new Error(`a message of ${n} bytes`);
    return bytes.take(n);
  },
});

// pair returns what a client keeps of a camera.
export async function pair(path, text, keys) {
  const label = readLabel(text);
  const { socket, bytes } = await local(path, { cmd: 'join' });
  const channel = await handshake(framed(socket, bytes), psk(label));
  const camera = hello(await channel.receive(), channel.h, label);
  channel.send({
    t: 'client', card: keys.card(),
    jws: signed('camd-pair-cli+jwt', { h: channel.h, ...keys.claims }, keys.sig, keys.name),
  });
  channel.send({ t: 'settings' });
  const last = await channel.receive();
  socket.destroy();
  if (last.t === 'refusal') throw new Error(`${last.code}: ${last.sentence}`);
  const receipt = opened(last.jws, ['camd-pair-rcpt+jwt'], publicKey(camera.trio.hhSig)).claims;
  if (receipt.h !== channel.h || receipt.deviceId !== label.device || receipt.ep !== camera.trio.ep || receipt.client !== keys.name) {
    throw new Error('the receipt is of another pairing');
  }
  return { ...camera, receipt };
}

// hello is 3.6.
function hello(message, h, label) {
  if (message.t !== 'device') throw new Error(`${message.t}, want device`);
  const shown = JSON.parse(canonical(message.jws.split('.')[1]));
  const identity = new X509Certificate(Buffer.from(shown.x5c[0], 'base64')).publicKey;
  if (!sha256(identity.export({ type: 'spki', format: 'der' })).equals(label.key)) throw new Error('not the camera of this label');
  const said = opened(message.jws, ['camd-pair-dev+jwt'], identity).claims;
  const trio = opened(said.trio, ['camd-trio+jwt'], identity).claims;
  if (said.h !== h || said.deviceId !== label.device || trio.deviceId !== label.device || said.ep !== trio.ep) {
    throw new Error('the camera contradicts itself');
  }
  return { identity, trio, signedTrio: said.trio, owned: said.owned };
}

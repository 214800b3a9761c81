// A broker and a camera of the tests' own, behind the page's own code: what they send is as
// docs/protocol.md says, unless a test has it otherwise.
import './globals.mjs';
import { after } from 'node:test';
import { base64, base64url, concat, sha256, utf8 } from '../setup/bytes.js';
import { opened, sealed, unsealed, verifyingKey, header } from '../setup/jose.js';
import { keepKeys } from '../src/core/keys.js';
import { leafOf, Tree } from '../src/core/log.js';
import { Peer } from '../src/core/peer.js';
import { Memory } from '../src/core/store.js';

export const device = 'abcdefghijklmnopqrstuvwxyz';

const jwk = async (key) => {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', key);
  return y ? { kty, crv, x, y } : { kty, crv, x };
};

// until waits for what a promise of the page's code does not tell.
export async function until(what, ok) {
  for (let i = 0; i < 2000; i++) {
    if (ok()) return;
    await new Promise((resolve) => { setTimeout(resolve, 1); });
  }
  throw new Error(`waited in vain for ${what}`);
}

// Net is a broker: it carries what its one client publishes to oncall, and what send is given
// to each of that client's connections.
export class Net {
  sockets = [];
  topics = [];
  logins = [];
  refuse = 0; // CONNACK's return code
  oncall = () => {};

  dial = (url) => {
    const net = this;
    const socket = {
      url, readyState: 0,
      send: (bytes) => net.#packet(socket, new Uint8Array(bytes)),
      close: () => {
        if (socket.readyState === 3) return;
        socket.readyState = 3;
        queueMicrotask(() => socket.onclose?.());
      },
      addEventListener: () => {},
    };
    this.sockets.push(socket);
    queueMicrotask(() => {
      socket.readyState = 1;
      socket.onopen?.();
    });
    return socket;
  };

  get socket() { return this.sockets.at(-1); }

  raw(bytes, socket = this.socket) { socket.onmessage({ data: Uint8Array.from(bytes).buffer }); }

  send(topic, text) {
    const body = concat([topic.length >> 8, topic.length & 255], utf8(topic), utf8(text));
    const length = [];
    let n = body.length;
    do {
      length.push(n % 128 | (n > 127 ? 128 : 0));
      n = Math.floor(n / 128);
    } while (n > 0);
    for (const socket of this.sockets) if (socket.readyState === 1) this.raw(concat([0x30, ...length], body), socket);
  }

  #packet(socket, bytes) {
    let at = 1;
    while (bytes[at++] > 127);
    const body = bytes.subarray(at);
    const text = (from) => new TextDecoder().decode(body.subarray(from + 2, from + 2 + (body[from] << 8 | body[from + 1])));
    switch (bytes[0] & 0xf0) {
      case 0x10:
        this.logins.push(text(10));
        queueMicrotask(() => this.raw([0x20, 2, 0, this.refuse], socket));
        break;
      case 0x80:
        this.topics.push(text(2));
        queueMicrotask(() => this.raw([0x90, 3, body[0], body[1], 0], socket));
        break;
      case 0x30: {
        const n = body[0] << 8 | body[1];
        queueMicrotask(() => this.oncall(new TextDecoder().decode(body.subarray(2 + n))));
      }
    }
  }
}

// Camera is the device's side of one household with one member.
export class Camera {
  entries = [];
  requests = []; // the claims of all that came
  answers = {};  // by op: a function of the claims that gives { code, body, entry }
  mangle = (claims) => claims;
  sequence = 0;

  static async make(net, client) {
    const c = new Camera();
    const ec = (name, uses) => crypto.subtle.generateKey({ name, namedCurve: 'P-256' }, true, uses);
    Object.assign(c, {
      net, client, identity: await ec('ECDSA', ['sign', 'verify']), sig: await ec('ECDSA', ['sign', 'verify']), enc: await ec('ECDH', ['deriveBits']),
      log: await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']),
    });
    c.claims = { deviceId: device, ep: 1, hhSig: await jwk(c.sig.publicKey), hhEnc: await jwk(c.enc.publicKey), log: await jwk(c.log.publicKey) };
    c.trio = await c.sign('camd-trio+jwt', c.claims, c.identity);
    c.spki = base64(new Uint8Array(await crypto.subtle.exportKey('spki', c.identity.publicKey)));
    net.oncall = (jwe) => c.take(jwe);
    c.enter({ k: 'epoch', why: 'first start' });
    return c;
  }

  get record() {
    return { device, identity: this.spki, trio: this.trio, epoch: 1, name: 'Door', member: 'Anna', role: 'owner', broker: { url: 'mqtts://broker.example', web: 'wss://broker.example' } };
  }

  async sign(typ, claims, pair = this.sig) {
    const text = [{ alg: 'ES256', typ }, claims].map((part) => base64url(utf8(JSON.stringify(part)))).join('.');
    const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, pair.privateKey, utf8(text));
    return `${text}.${base64url(new Uint8Array(signature))}`;
  }

  enter(entry) { this.entries.push(JSON.stringify({ v: 1, t: 1780000000000 + this.entries.length, ep: 1, ...entry })); }

  async root(n = this.entries.length) {
    const tree = new Tree();
    for (const text of this.entries.slice(0, n)) await tree.add(await leafOf(text));
    return tree.root();
  }

  async checkpoint(n = this.entries.length) {
    const origin = `camd/${device}/1`, body = `${origin}\n${n}\n${base64(await this.root(n))}\n`;
    const key = new Uint8Array(await crypto.subtle.exportKey('raw', this.log.publicKey));
    const hash = (await sha256(utf8(`${origin}\n`), [1], key)).subarray(0, 4);
    const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', this.log.privateKey, utf8(body)));
    return `${body}\n— ${origin} ${base64(concat(hash, signature))}\n`;
  }

  // hashOf is MTH of RFC 6962 2.1 over the entries from a to b.
  async hashOf(a, b) {
    const tree = new Tree();
    for (const text of this.entries.slice(a, b)) await tree.add(await leafOf(text));
    return tree.root();
  }

  // path is PATH of RFC 6962 2.1.1 for entry m of those from a to b.
  async path(m, a = 0, b = this.entries.length) {
    if (b - a === 1) return [];
    const k = half(b - a);
    return m - a < k ? [...await this.path(m, a, a + k), await this.hashOf(a + k, b)] : [...await this.path(m, a + k, b), await this.hashOf(a, a + k)];
  }

  // consistency is SUBPROOF of RFC 6962 2.1.2.
  async consistency(m, a = 0, b = this.entries.length, whole = true) {
    if (m === b - a) return whole ? [] : [await this.hashOf(a, b)];
    const k = half(b - a);
    return m <= k ? [...await this.consistency(m, a, a + k, whole), await this.hashOf(a + k, b)]
      : [...await this.consistency(m - k, a + k, b, false), await this.hashOf(a, a + k)];
  }

  async take(jwe) {
    const jws = await unsealed(jwe, { enc: this.enc }).catch(() => undefined);
    if (!jws) return; // for another camera
    if (header(jws).kid !== this.client.name) return; // a key that is not enrolled is not answered
    const claims = await opened(jws, 'camd-req+jwt', await verifyingKey(this.client.claims.sigJwk), this.client.name);
    this.requests.push(claims);
    this.sequence = Math.max(this.sequence, claims.seq ?? 0);
    const { code = 'ok', body, entry } = await this.answers[claims.op]?.(claims, jws) ?? {};
    if (code === 'lost') return;
    const answer = { iss: device, aud: this.client.name, ep: 1, re: claims.jti, code, non: base64url(crypto.getRandomValues(new Uint8Array(16))), seq: this.sequence, body };
    if (claims.op !== 'hello') Object.assign(answer, await this.proof(claims, entry));
    await this.say('camd-ans+jwt', await this.mangle(answer, claims));
  }

  async proof({ cp }, entry) {
    const have = cp ? Number(cp.split('\n')[1]) : 0;
    const proof = {};
    if (have > 0 && have < this.entries.length) proof.con = (await this.consistency(have)).map(base64url);
    if (entry !== undefined) proof.entry = { n: entry, text: this.entries[entry], path: (await this.path(entry)).map(base64url) };
    return { cp: await this.checkpoint(), proof };
  }

  // say sends signed and sealed claims to the client.
  async say(typ, claims, pair) {
    this.net.send(`camd/v1/${device}/out/${this.client.name}`, await sealed(await this.sign(typ, claims, pair), this.client.claims.encJwk));
  }

  notice(n, more = {}) { return this.say('camd-note+jwt', { iss: device, aud: this.client.name, ep: 1, n, prev: n, entry: this.entries[n], ...more }); }
}

function half(n) {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

// closing is what a test leaves open, which would keep its process alive.
export const closing = [];
after(() => { for (const c of closing) c.close(); });

// pairOf returns a camera, and the page's peer of it, which is up.
export async function pairOf({ store = new Memory() } = {}) {
  const patience = 30000; // the machine may be busy; who tests silence makes it short
  const net = new Net(), keys = await keepKeys(store);
  const camera = await Camera.make(net, keys);
  const peer = new Peer(await Peer.prepare(camera.record, store, keys), async () => ({ url: 'wss://broker.example' }), { dial: net.dial, patience });
  closing.push(peer);
  await until('the broker', () => peer.broker.up);
  return { net, camera, peer, keys, store };
}


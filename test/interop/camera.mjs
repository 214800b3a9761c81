// A client's connection to one camera: docs/protocol.md 4.
import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Broker } from './mqtt.mjs';
import { b64, opened, publicKey, sealed, sha256, signed, thumbprint, token, unsealed } from './wire.mjs';
import { continues, included, readCheckpoint } from './log.mjs';

// 6.3: the kind of the entry that an operation makes.
const kinds = {
  live: 'live', talk: 'talk', snapshot: 'snapshot', grant: 'grant', revoke: 'revoke',
  'settings.set': 'settings', privacy: 'privacy', alarm: 'alarm', certificate: 'certificate', wifi: 'settings',
};

export class Camera {
  constructor(paired, keys) {
    const { trio, receipt } = paired;
    Object.assign(this, { paired, trio, keys, device: trio.deviceId, seq: 0, non: '', stale: 0, open: new Map() });
    this.clock = () => Date.now() * 1000; // in microseconds
    this.hhSig = publicKey(trio.hhSig);
    this.notices = [];
    this.signals = [];
    this.broker = new Broker(receipt.broker, `${keys.name}-${token().slice(0, 8)}`, (t, p) => this.take(t, p));
  }

  async start() {
    await this.broker.ready;
    await this.broker.subscribe(`camd/v1/${this.device}/out/${this.keys.name}`);
    await this.broker.subscribe(`camd/v1/${this.device}/status`).catch(() => {}); // it may be kept from us
    const hello = await this.call('hello');
    if (hello.cp) throw new Error('hello with a checkpoint');
    return hello;
  }

  close() { this.broker.close(); }

  take(topic, payload) {
    if (topic.endsWith('/status')) {
      this.status = JSON.parse(payload);
      return;
    }
    const { typ, claims } = opened(unsealed(payload, this.keys.enc), ['camd-ans+jwt', 'camd-sig+jwt', 'camd-note+jwt'], this.hhSig);
    if (claims.iss !== this.device || claims.aud !== this.keys.name || claims.ep !== this.trio.ep) throw new Error('not for me');
    if (typ === 'camd-sig+jwt') this.signals.push(claims);
    if (typ === 'camd-note+jwt' && !this.notices.some((n) => n.n === claims.n)) this.notices.push(claims); // one may come twice
    if (typ === 'camd-ans+jwt') this.open.get(claims.re)?.(claims);
  }

  // call is 4.2, 4.3 and 4.6. It returns the answer, whatever its code.
  async call(op, body, sid, jti = token()) {
    const from = this.cp;
    for (let tries = 0; tries < 4; tries++) {
      const answered = new Promise((resolve) => this.open.set(jti, resolve));
      this.send({ jti, op, sid, body, cp: op === 'hello' ? undefined : from?.note });
      const a = await Promise.race([answered, sleep(10000, null, { ref: false })]);
      if (!a) continue;
      this.open.delete(jti);
      [this.non, this.seq] = [a.non, Math.max(this.seq, a.seq)];
      if (a.code === 'stale') {
        this.stale++;
        continue;
      }
      if (op !== 'hello') this.verify({ op, sid, body, jti }, a, from);
      return a;
    }
    throw new Error(`no answer to ${op}`);
  }

  send(request) {
    this.seq = Math.max(this.clock(), this.seq + 1);
    const fresh = request.op === 'hello' ? {} : { non: this.non, seq: this.seq };
    const claims = { iss: this.keys.name, aud: this.device, ep: this.trio.ep, iat: Math.floor(Date.now() / 1000), ...fresh, ...request };
    this.sent = signed('camd-req+jwt', claims, this.keys.sig, this.keys.name);
    this.broker.publish(`camd/v1/${this.device}/in/${this.keys.name}`, sealed(this.sent, this.trio.hhEnc));
  }

  // verify is 6.7 and 6.8.
  verify(request, a, from) {
    if (!a.cp && a.code !== 'ok') return;
    if (!a.cp) throw new Error(`no checkpoint with ${a.code} to ${request.op}`);
    const now = readCheckpoint(a.cp, this.trio);
    if (from) continues(from, now, a.proof.con);
    this.cp = now;
    const kind = kinds[request.op];
    const nothing = request.op === 'privacy' || (request.op === 'revoke' && a.body?.revoked.length === 0)
      || (request.op === 'certificate' && (request.body.do !== 'set' || a.body?.problem))
      || (request.op === 'wifi' && (request.body.do !== 'join' || a.body?.problem));
    if (!a.proof.entry) {
      if (kind && a.code === 'ok' && !nothing) throw new Error(`no entry for ${request.op}`);
      return;
    }
    included(a.proof.entry, now);
    const e = JSON.parse(a.proof.entry.text);
    if (e.k !== kind || e.who !== this.keys.name || e.ep !== this.trio.ep || (e.sid ?? '') !== (request.sid ?? '')) throw new Error('another entry');
    this.asked(request, e);
  }

  asked({ op, body }, e) {
    const same = (a, b) => { if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`entry says ${a}, asked for ${b}`); };
    if (op === 'live') same(e.sc, body.scopes);
    if (op === 'snapshot') same(e.sc, ['snapshot']);
    if (op === 'privacy') same(e.why, body.on ? 'on' : 'off');
    if (op === 'revoke') same(e.sub, body.client);
    if (op === 'grant') {
      same([e.sname, e.role, e.sc], [body.name, body.role, body.scopes]);
      same(e.jws, b64(sha256(this.sent)));
    }
    if (op === 'certificate') same(e.exp, Date.parse(new X509Certificate(Buffer.from(body.chain[0], 'base64')).validTo) / 1000);
    if (op === 'wifi') same(e.set, ['set_up=wifi']);
    if (op === 'settings.set') {
      const order = ['name', 'time_zone', 'privacy_off', 'quiet_hours', 'talk', 'update_hours', 'push'];
      same(e.set, order.filter((k) => k in body).map((k) => `${k}=${body[k]}`));
    }
  }

  // pages reads a list that comes by pages, with the first page's checkpoint.
  async pages(op, field) {
    let [from, all, end] = [0, [], null];
    do {
      const a = await this.must(op, { from });
      end ??= this.cp;
      all = all.concat(a.body[field] ?? []);
      from = a.body.next ?? 0;
    } while (from);
    return { all, end };
  }

  // picture fetches the parts of 9.4.
  async picture(which, size) {
    const parts = [];
    for (let offset = 0; offset < size;) {
      const { part } = (await this.must('events', { ...which, offset })).body;
      if (part.offset !== offset || part.size !== size) throw new Error('another part');
      parts.push(Buffer.from(part.data, 'base64'));
      offset += parts.at(-1).length;
    }
    return Buffer.concat(parts);
  }

  async must(op, body, sid) {
    const a = await this.call(op, body, sid);
    if (a.code !== 'ok') throw new Error(`${op}: ${a.code}`);
    return a;
  }
}

// cameraCard is 2.8: for whoever holds the key of a key card.
export function cameraCard({ paired, keys }, { name, role, encJwk, login }) {
  const { trio, identity, signedTrio, receipt } = paired;
  return sealed(signed('camd-card+jwt', {
    aud: thumbprint(encJwk), key: keys.card(), by: receipt.name, deviceId: trio.deviceId, ep: trio.ep,
    identity: identity.export({ type: 'spki', format: 'der' }).toString('base64'), trio: signedTrio,
    member: name, role, broker: { ...receipt.broker, ...login },
  }, keys.sig, keys.name), encJwk);
}

// readKey is 2.9.2: the key card in a key's text, and the keys that it shows.
export function readKey(text) {
  const m = /^CAMD-KEY:1\?(.*)$/.exec(text.replaceAll(/\s/g, ''));
  if (!m) throw new Error('not a key');
  const shown = JSON.parse(Buffer.from(m[1].split('.')[1], 'base64url'));
  return { card: m[1], name: thumbprint(shown.sigJwk), encJwk: shown.encJwk };
}

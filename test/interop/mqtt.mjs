// As much of MQTT 3.1.1 as docs/protocol.md 1.6 asks of a client.
import { connect } from 'node:tls';

const text = (s) => {
  const b = Buffer.from(s);
  return Buffer.concat([Buffer.from([b.length >> 8, b.length & 255]), b]);
};

function packet(head, ...parts) {
  const body = Buffer.concat(parts);
  const length = [];
  let n = body.length;
  do {
    length.push((n % 128) | (n > 127 ? 128 : 0));
    n = Math.floor(n / 128);
  } while (n > 0);
  return Buffer.concat([Buffer.from([head, ...length]), body]);
}

const [CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK, PINGREQ, DISCONNECT] = [0x10, 0x20, 0x30, 0x82, 0x90, 0xc0, 0xe0];
const keepAlive = 30;

export class Broker {
  // broker is as in 2.8; take gets topic and payload of each message.
  constructor(broker, id, take) {
    const url = new URL(broker.url);
    this.take = take;
    this.held = Buffer.alloc(0);
    this.packets = 0;
    this.waiting = new Map();
    this.socket = connect({
      host: url.hostname, port: Number(url.port || 8883), minVersion: 'TLSv1.3',
      ca: broker.ca || undefined, cert: broker.certificate, key: broker.key,
      ...(broker.serverName && { servername: broker.serverName }),
    });
    this.socket.on('data', (data) => this.read(data));
    this.socket.on('error', (err) => this.fail(err));
    this.socket.on('close', () => this.fail(new Error('the broker hung up')));
    const flags = 0x02 | (broker.user ? 0x80 : 0) | (broker.password ? 0x40 : 0); // clean session, no will
    const login = [broker.user, broker.password].filter(Boolean).map(text);
    this.socket.write(packet(CONNECT, text('MQTT'), Buffer.from([4, flags, 0, keepAlive]), text(id), ...login));
    this.ready = this.wait(CONNACK);
    this.pings = setInterval(() => this.socket.write(packet(PINGREQ)), keepAlive * 500).unref();
  }

  wait(what) {
    return new Promise((resolve, reject) => this.waiting.set(what, { resolve, reject }));
  }

  fail(err) {
    clearInterval(this.pings);
    for (const { reject } of this.waiting.values()) reject(err);
    this.waiting.clear();
  }

  answered(what, code) {
    const { resolve, reject } = this.waiting.get(what);
    this.waiting.delete(what);
    if (code === 0) resolve(); else reject(new Error(`the broker refuses with ${code}`));
  }

  // one filter a packet, with QoS 0
  subscribe(filter) {
    const id = ++this.packets;
    this.socket.write(packet(SUBSCRIBE, Buffer.from([id >> 8, id & 255]), text(filter), Buffer.from([0])));
    return this.wait(SUBACK);
  }

  publish(topic, payload) { this.socket.write(packet(PUBLISH, text(topic), Buffer.from(payload))); }

  close() {
    clearInterval(this.pings);
    this.waiting.clear();
    this.socket.end(packet(DISCONNECT));
  }

  read(data) {
    this.held = Buffer.concat([this.held, data]);
    for (;;) {
      let n = 0, at = 1;
      for (let shift = 0; ; shift += 7) {
        if (at >= this.held.length) return;
        const b = this.held[at++];
        n |= (b & 127) << shift;
        if (b < 128) break;
      }
      if (this.held.length < at + n) return;
      const [head, body] = [this.held[0], this.held.subarray(at, at + n)];
      this.held = this.held.subarray(at + n);
      this.packet(head, body);
    }
  }

  packet(head, body) {
    if (head === CONNACK) this.answered(CONNACK, body[1]);
    if (head === SUBACK) this.answered(SUBACK, body[2]);
    if ((head & 0xf0) !== PUBLISH) return;
    const n = body.readUInt16BE(0);
    this.take(body.subarray(2, 2 + n).toString(), body.subarray(2 + n).toString());
  }
}

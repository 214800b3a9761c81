// As much of MQTT 3.1.1 over a WebSocket as docs/protocol.md 1.6 asks of a client: QoS 0, clean
// session, no will. What a broker sends is bounded, and whatever is not MQTT ends the connection.
import { concat, utf8 } from '../../setup/bytes.js';

const CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, SUBSCRIBE = 0x82, SUBACK = 0x90, PINGREQ = 0xc0, PINGRESP = 0xd0, DISCONNECT = 0xe0;
const keepAlive = 30; // seconds
const pingEvery = 15000, silentAfter = 45000, openTimeout = 20000; // milliseconds
const longestPacket = 1 << 15;

const text = (s) => {
  const bytes = utf8(s);
  return concat([bytes.length >> 8, bytes.length & 255], bytes);
};

function packet(head, ...parts) {
  const body = concat(...parts), length = [];
  let n = body.length;
  do {
    length.push(n % 128 | (n > 127 ? 128 : 0));
    n = Math.floor(n / 128);
  } while (n > 0);
  return concat([head, ...length], body);
}

// Refused is a broker's refusal to accept a client, by its return code.
export class Refused extends Error {
  constructor(code) {
    super(`the broker refuses with ${code}`);
    this.login = code === 4 || code === 5; // user, password or right
  }
}

// Connection is one to a broker. onmessage is called with topic and text of each message,
// onclose once, when it has ended.
export class Connection {
  #socket;
  #held = new Uint8Array();
  #waiting = new Map(); // what is waited for: CONNACK, or a SUBACK's number
  #packets = 0;
  #heard = Date.now();
  #pings;
  #ended = false;

  constructor(socket, onmessage, onclose) {
    this.#socket = socket;
    this.onmessage = onmessage;
    this.onclose = onclose;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => this.#read(data);
    socket.onclose = () => this.#end();
    socket.onerror = () => this.#end();
  }

  /**
   * open connects and logs in.
   * @param {string} url
   * @param {{id: string, user?: string, password?: string, onmessage: Function, onclose: Function, dial?: Function}} options
   */
  static async open(url, { id, user = '', password = '', onmessage, onclose, dial = (u) => new WebSocket(u, ['mqtt']) }) {
    const c = new Connection(dial(url), onmessage, onclose);
    const connected = c.#wait(CONNACK);
    connected.catch(() => {}); // it is awaited below, and may fail before
    const timer = setTimeout(() => c.#end(new Error('the broker takes too long')), openTimeout);
    try {
      await new Promise((resolve, reject) => {
        c.#socket.onopen = resolve;
        connected.catch(reject);
      });
      const flags = 0x02 | (user ? 0x80 : 0) | (password ? 0x40 : 0); // clean session, no will
      c.#send(packet(CONNECT, text('MQTT'), [4, flags, 0, keepAlive], text(id), ...[user, password].filter(Boolean).map(text)));
      await connected;
    } catch (error) {
      c.#end(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
    c.#pings = setInterval(() => c.#ping(), pingEvery);
    return c;
  }

  /** subscribe asks for the messages of a topic, and returns when the broker grants them. */
  subscribe(filter) {
    const id = ++this.#packets;
    const granted = this.#wait(id);
    this.#send(packet(SUBSCRIBE, [id >> 8, id & 255], text(filter), [0]));
    return granted;
  }

  publish(topic, payload) { this.#send(packet(PUBLISH, text(topic), utf8(payload))); }

  close() {
    if (this.#ended) return;
    this.onclose = () => {};
    if (this.#socket.readyState === 1) this.#send(packet(DISCONNECT));
    this.#end();
  }

  #send(bytes) {
    if (!this.#ended) this.#socket.send(bytes);
  }

  #ping() {
    if (Date.now() - this.#heard > silentAfter) this.#end();
    else this.#send(packet(PINGREQ));
  }

  #wait(what) {
    if (this.#ended) return Promise.reject(new Error('the connection has ended'));
    return new Promise((resolve, reject) => this.#waiting.set(what, { resolve, reject }));
  }

  #answer(what, error) {
    const { resolve, reject } = this.#waiting.get(what) ?? {};
    this.#waiting.delete(what);
    if (error) reject?.(error); else resolve?.();
  }

  #end(error = new Error('the connection has ended')) {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#pings);
    for (const what of [...this.#waiting.keys()]) this.#answer(what, error);
    this.#socket.close();
    this.onclose();
  }

  #read(data) {
    if (this.#ended) return;
    this.#heard = Date.now();
    if (!(data instanceof ArrayBuffer)) return this.#end(new Error('a text frame'));
    this.#held = concat(this.#held, new Uint8Array(data));
    try {
      while (this.#next());
    } catch (error) {
      this.#end(error);
    }
  }

  // next takes one packet out of what has come, and reports whether there was a whole one.
  #next() {
    const held = this.#held;
    let n = 0, at = 1;
    for (let shift = 0; ; shift += 7) {
      if (at >= held.length) return false;
      const b = held[at++];
      n |= (b & 127) << shift;
      if (n > longestPacket || shift > 14) throw new Error('a packet that is too long');
      if (b < 128) break;
    }
    if (held.length < at + n) return false;
    this.#held = held.subarray(at + n); // a copy for each packet would take long where many came at once
    this.#packet(held[0], held.subarray(at, at + n));
    return true;
  }

  #packet(head, body) {
    switch (head & 0xf0) {
      case CONNACK:
        return this.#answer(CONNACK, body[1] === 0 ? undefined : new Refused(body[1]));
      case SUBACK:
        return this.#answer(body[0] << 8 | body[1], body[2] === 0 ? undefined : new Refused(body[2]));
      case PUBLISH:
        if (head & 0x06) throw new Error('a message of a QoS that was not asked for');
        return this.#message(body);
      case PINGRESP:
        return undefined;
      default:
        throw new Error(`a packet ${head}`);
    }
  }

  #message(body) {
    const n = body[0] << 8 | body[1];
    if (!(body.length >= 2 + n)) throw new Error('a message without its topic');
    const utf = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    let topic, payload;
    try {
      [topic, payload] = [utf.decode(body.subarray(2, 2 + n)), utf.decode(body.subarray(2 + n))];
    } catch {
      return; // no message of camd's is anything but text
    }
    this.onmessage(topic, payload);
  }
}

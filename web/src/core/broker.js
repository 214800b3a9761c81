// A client at a camera's broker, which connects again by itself: docs/protocol.md 1.6.
import { base64url } from '../../setup/bytes.js';
import { Problem } from '../../setup/problem.js';
import { localNetworkHint } from './localnetwork.js';
import { Connection, Refused } from './mqtt.js';

const firstPause = 1000, longestPause = 30000; // milliseconds

/** token is 16 random bytes, as text. */
export const token = () => base64url(crypto.getRandomValues(new Uint8Array(16)));

/**
 * Broker keeps a client subscribed to what a camera sends it. It fires 'change' when state
 * changed, and 'message' with topic and text in its detail.
 */
export class Broker extends EventTarget {
  #where;
  #topics;
  #connection;
  #stopped = false;
  #pause = firstPause;
  #wake = () => {};
  #begin;

  /**
   * @param {() => Promise<{url: string, user?: string, password?: string}>} where is asked before each attempt; a Problem that it throws is told
   * @param {{device: string, client: string, dial?: Function}} who
   */
  constructor(where, { device, client, dial }) {
    super();
    this.#where = where;
    this.dial = dial;
    this.#topics = { in: `camd/v1/${device}/in/${client}`, out: `camd/v1/${device}/out/${client}`, status: `camd/v1/${device}/status` };
    this.id = `${client}-${token().slice(0, 8)}`; // its own: cameras may share a broker, and that ends one of two sessions of one name
    /** 'connecting', 'up', 'lost' (it is tried again) or 'refused' (again, but rarely) */
    this.state = 'connecting';
    this.sentence = '';
    this.code = ''; // of the Problem that where gave
    this.host = '';
    /** begun is kept once the first attempt to connect has ended, as it may. */
    this.begun = new Promise((resolve) => { this.#begin = resolve; });
    this.#run();
  }

  get up() { return this.state === 'up' && !this.#stopped; }

  /** publish sends a request; while the connection is away nothing is sent. */
  publish(text) { if (this.up) this.#connection.publish(this.#topics.in, text); }

  /** wake tries at once, for a reason to think that it works now. */
  wake() {
    this.#pause = firstPause;
    this.#wake();
  }

  close() {
    this.#stopped = true;
    this.#connection?.close();
    this.#begin();
    this.#wake();
  }

  async #run() {
    while (!this.#stopped) {
      await this.#connect().catch((error) => this.#explain(error));
      if (this.#stopped) return;
      if (this.up) this.#become('lost', `The connection to the broker ${this.host} was lost. It is being tried again.`);
      await this.#wait();
    }
  }

  // connect returns when a connection that was made has ended.
  async #connect() {
    let over;
    const end = new Promise((resolve) => { over = resolve; });
    const { url, ...login } = await this.#where();
    this.host = new URL(url).host;
    const c = this.#connection = await Connection.open(url, {
      ...login, id: this.id, dial: this.dial, onclose: over,
      onmessage: (topic, text) => this.#message(topic, text),
    });
    if (this.#stopped) return c.close();
    await c.subscribe(this.#topics.out);
    await c.subscribe(this.#topics.status).catch(() => {}); // it may be kept from us
    this.#pause = firstPause;
    this.code = '';
    this.#become('up', '');
    await end;
  }

  #message(topic, text) {
    const kind = topic === this.#topics.out ? 'out' : topic === this.#topics.status ? 'status' : undefined;
    if (kind) this.dispatchEvent(new CustomEvent('message', { detail: { kind, text } }));
  }

  async #explain(error) {
    this.code = error instanceof Problem ? error.code : '';
    this.#connection?.close();
    if (error instanceof Problem) {
      this.#become('lost', error.message);
    } else if (error instanceof Refused && error.login) {
      this.#pause = longestPause;
      this.#become('refused', `The broker ${this.host} does not accept this client: its login may have ended. Ask an owner for a new camera card.`);
    } else {
      this.#become('lost', `The broker ${this.host} can't be reached. Check this device's network. If that works, the broker is down, or its certificate is not one that this browser trusts.${await localNetworkHint()}`);
    }
  }

  #become(state, sentence) {
    if (state === this.state && sentence === this.sentence) return;
    [this.state, this.sentence] = [state, sentence];
    this.#begin();
    this.dispatchEvent(new Event('change'));
  }

  #wait() {
    const pause = this.#pause * (0.5 + Math.random() / 2);
    this.#pause = Math.min(2 * this.#pause, longestPause);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

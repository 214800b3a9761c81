// Requests to a camera and their answers: docs/protocol.md 4.2, 4.3, 4.6 and 5.3.
import { sealed } from '../../setup/jose.js';
import { token } from './broker.js';
import { failure, refused } from './refusal.js';

const wait = 4000; // milliseconds for an answer, each time
const tries = 4;

// Before the camera answers, its room hears who will talk, and may have to accept it; its
// Wi-Fi listens on all channels.
const moreTries = { talk: 10, wifi: 7 };

// What ends something or takes rights away is better done late than never.
const takesAway = (op, body) => ['bye', 'revoke', 'alarm'].includes(op) || op === 'privacy' && body?.on === true;

const maxSequence = 2 ** 53 - 1;
const isToken = (text) => typeof text === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(text);

/**
 * Requests sends a client's requests to one camera, and sends each again until it is answered.
 */
export class Requests {
  #keys;
  #trio;
  #broker;
  #open = new Map(); // by jti: what takes the answer
  #nonce = '';
  #nonceAt = 0; // when it came
  #sequence = 0;
  #greeting;
  #sending = Promise.resolve(); // so that the order on the way is that of the sequence
  #silence;

  /**
   * @param {{keys: object, trio: object, broker: import('./broker.js').Broker, silence: () => Error}} deps silence says why there is no answer
   */
  constructor({ keys, trio, broker, silence, wait: patience = wait }) {
    this.#keys = keys;
    this.#trio = trio;
    this.#broker = broker;
    this.#silence = silence;
    this.patience = patience;
  }

  /**
   * ask sends a request, and returns the answer's claims whatever its code.
   * @param {{op: string, sid?: string, body?: object, cp?: string, jti?: string}} request
   * @returns {Promise<{answer: object, sent: string[]}>} sent: the signed request, as often as it was sent
   */
  async ask(request, signal) {
    await this.#broker.begun; // a page that was just opened is not offline
    await this.#greet();
    return this.#exchange({ jti: token(), ...request }, signal);
  }

  // greet gets a nonce, if there is none.
  async #greet() {
    if (this.#nonce) return;
    this.#greeting ??= this.#exchange({ jti: token(), op: 'hello' }).finally(() => { this.#greeting = undefined; });
    const { answer } = await this.#greeting;
    if (answer.code !== 'ok') throw Object.assign(refused(answer.code), { answered: false }); // not to what is asked for
  }

  async #exchange(request, signal) {
    const sent = [], times = moreTries[request.op] ?? tries;
    const until = performance.now() + times * this.patience;
    let silence = true;
    try {
      for (let i = times; i > 0; i--) {
        signal?.throwIfAborted();
        if (!this.#broker.up) throw this.#silence();
        const answered = new Promise((resolve) => this.#open.set(request.jti, resolve));
        sent.push(await this.#send(request, until));
        const answer = await this.#within(answered, signal);
        if (answer && answer.code !== 'stale') return { answer, sent };
        silence = !answer;
      }
    } finally {
      this.#open.delete(request.jti);
    }
    throw silence ? this.#silence() : failure('repeating');
  }

  #within(answered, signal) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, this.patience);
      const abort = () => reject(signal.reason);
      signal?.addEventListener('abort', abort, { once: true });
      answered.then((answer) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        resolve(answer);
      });
    });
  }

  // send signs, seals and publishes, one after the other.
  #send(request, until) {
    const sent = this.#sending.then(() => this.#sendNow(request, until));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  async #sendNow({ op, ...request }, until) {
    const now = Date.now();
    let fresh = {};
    if (op !== 'hello') {
      if (this.#sequence >= maxSequence) this.#sequence = 0; // who has this key used them up: start again when the camera does
      this.#sequence = Math.max(now * 1000, this.#sequence + 1);
      fresh = { non: this.#nonce, seq: this.#sequence };
      if (!takesAway(op, request.body)) fresh.ttl = Math.max(1, Math.ceil((until - this.#nonceAt) / 1000));
    }
    const claims = { iss: this.#keys.name, aud: this.#trio.deviceId, ep: this.#trio.ep, iat: Math.floor(now / 1000), ...fresh, op, ...request };
    const signed = await this.#keys.sign('camd-req+jwt', claims);
    let jwe;
    try {
      jwe = await sealed(signed, this.#trio.hhEnc);
    } catch (cause) {
      throw failure('large', cause);
    }
    this.#broker.publish(jwe);
    return signed;
  }

  /** close has nobody wait any more for what will not come. The broker is closed before. */
  close() { for (const answered of this.#open.values()) answered(); }

  /** take gives a verified answer to the request that waits for it. Others may be old, and say nothing. */
  take(answer) {
    const waits = this.#open.get(answer.re);
    if (!waits) return;
    this.#open.delete(answer.re);
    if (isToken(answer.non)) [this.#nonce, this.#nonceAt] = [answer.non, performance.now()];
    else if (answer.code === 'revoked') this.#nonce = '';
    if (Number.isSafeInteger(answer.seq)) this.#sequence = Math.max(this.#sequence, answer.seq);
    waits(answer);
  }
}

// One camera as this client reaches it: messages verified, requests asked, the log's proofs
// kept. What is asked for and shown stands in camera.js.
import { fromBase64, json } from '../../setup/bytes.js';
import { header, identityKey, opened, unsealed, verifyingKey } from '../../setup/jose.js';
import { line, Problem } from '../../setup/problem.js';
import { Broker, token } from './broker.js';
import { readEntry } from './entries.js';
import { Ledger } from './ledger.js';
import { failure, refused } from './refusal.js';
import { Requests } from './requests.js';

const mostWaiting = 256; // messages of the broker that are not looked at yet
const mostNotices = 64;
const noticeLead = 1024; // how far notices may be ahead of the proved log
const unanswered = ['busy', 'storage', 'internal']; // a removal that got one of these is asked for again

/**
 * Peer fires 'change' when link changed, 'notice' with { n, entry } in its detail, 'missed' when
 * one did not come, 'alarm', 'acknowledged' when another page has ended that, and 'up' when the
 * camera can be asked anew.
 */
export class Peer extends EventTarget {
  #keys;
  #identity;
  #hhSig;
  #store;
  #revoking; // removals that are not answered
  #removing = new Map(); // those of them that are asked for now, by jti
  #taking = Promise.resolve();
  #waiting = 0;
  #sessions = new Map(); // by sid: { take, n }
  #notices = new Map(); // text by number, the newest
  #past;     // entries below were in the log when this page began: a notice of one is an old one
  #told;     // number of the newest entry of which a notice came, or should have; undefined: none yet
  #online;   // what the broker says
  #answered; // true or false: how the last request went; undefined: none yet
  #ended;    // why the household of this record is over
  #changed = ({ detail }) => this.#follow(detail);

  /** prepare verifies what is kept of a camera. */
  static async prepare(record, store, keys) {
    const identity = await identityKey(fromBase64(record.identity));
    const trio = await opened(record.trio, 'camd-trio+jwt', identity);
    return {
      record, store, keys, identity, trio, hhSig: await verifyingKey(trio.hhSig), ledger: await Ledger.open(store, keys, trio),
      revoking: await store.get(`revoking/${trio.deviceId}/${trio.ep}`) ?? [],
    };
  }

  /**
   * @param {object} prepared by prepare
   * @param {() => Promise<{url: string, user?: string, password?: string}>} where the broker is, and this client's login there
   */
  constructor({ record, store, keys, identity, trio, hhSig, ledger, revoking }, where, { dial, patience } = {}) {
    super();
    this.record = record;
    this.trio = trio;
    this.ledger = ledger;
    this.#past = ledger.last?.size ?? 0;
    this.#keys = keys;
    this.#identity = identity;
    this.#hhSig = hhSig;
    this.#store = store;
    this.#revoking = revoking;
    this.broker = new Broker(where, { device: trio.deviceId, client: keys.name, dial });
    this.requests = new Requests({ keys, trio, broker: this.broker, silence: () => this.#silence(), wait: patience });
    this.broker.addEventListener('change', () => this.#moved());
    this.broker.addEventListener('message', ({ detail }) => this.#queue(detail));
    ledger.addEventListener('alarm', () => {
      this.dispatchEvent(new Event('alarm'));
      this.#share().catch(() => {}); // with the next request again
    });
    store.addEventListener('changed', this.#changed);
  }

  get own() { return this.#keys.name; }

  /** unanswered are the removals that the camera has not confirmed. */
  get unanswered() { return this.#revoking.map(({ body, name }) => ({ client: body.client, name })); }

  close() {
    this.#store.removeEventListener('changed', this.#changed);
    this.broker.close();
    this.requests.close();
  }

  // follow takes what another page of this browser has kept of this camera.
  async #follow(key) {
    if (key === this.#pending) this.#revoking = await this.#store.get(key) ?? [];
    else if (key !== this.ledger.key || !await this.ledger.follow()) return;
    else if (!this.ledger.alarm) this.dispatchEvent(new Event('acknowledged'));
    this.dispatchEvent(new Event('change'));
  }

  // pending is the key of the removals that are not answered.
  get #pending() { return `revoking/${this.trio.deviceId}/${this.trio.ep}`; }

  /** link is how the camera is reached, and why not. A broker that refuses this client is tried again; a removal stays. */
  get link() {
    const { state, sentence, host } = this.broker;
    if (this.#ended) return { link: 'refused', removed: true, sentence: this.#ended };
    if (state === 'refused') return { link: 'refused', sentence };
    if (state === 'connecting') return { link: 'connecting', sentence: `Connecting to the broker${host && ` ${host}`}…` };
    if (state === 'lost') return { link: 'connecting', sentence };
    if (this.#answered) return { link: 'online', sentence: '' };
    if (this.#online === false) return { link: 'offline', sentence: failure('offline').message };
    if (this.#answered === false) return { link: 'offline', sentence: this.#silence().message };
    return { link: 'connecting', sentence: 'Waiting for the camera to answer…' };
  }

  #silence() {
    if (!this.broker.up) return this.broker.sentence ? new Problem('down', this.broker.sentence) : failure('down');
    return failure(this.#online === false ? 'offline' : this.#online ? 'unknown' : 'silent');
  }

  #moved() {
    if (this.broker.up) {
      this.dispatchEvent(new Event('up'));
      this.#share().catch(() => {}); // of an earlier run
    } else this.#answered = undefined;
    this.dispatchEvent(new Event('change'));
  }

  #hear(answered) {
    if (this.#answered === answered) return;
    this.#answered = answered;
    this.dispatchEvent(new Event('change'));
  }

  /**
   * call asks the camera for an operation, verifies the answer and returns its body. Any code
   * but ok is a Problem.
   * @param {string} op
   * @param {object} [body]
   * @param {{sid?: string, seen?: object, signal?: AbortSignal}} [more] seen: the checkpoint that the person had seen, of what widens
   * @returns {Promise<{body: object, now: object}>} now: the answer's checkpoint, if it was proved
   */
  async call(op, body, { sid, seen, signal } = {}) {
    await this.#repeat();
    return this.#ask({ op, sid, body, jti: token() }, seen, signal);
  }

  async #ask(request, seen, signal) {
    const from = seen ?? this.ledger.last;
    let done;
    try {
      done = await this.requests.ask({ ...request, cp: from?.note }, signal);
    } catch (error) {
      if (!signal?.aborted && error instanceof Problem) this.#hear(false);
      if (error.code === 'revoked') this.#end(error.message);
      throw error;
    }
    const { answer, sent } = done;
    this.#hear(true);
    const now = await this.ledger.verify(request, sent, answer, from);
    if (now) this.#expect(answer.note, now);
    if (answer.code === 'revoked') this.#end(refused('revoked').message);
    else this.#ended = undefined; // it was added again
    if (answer.code !== 'ok') throw refused(answer.code);
    if (answer.body !== undefined && (typeof answer.body !== 'object' || answer.body === null)) throw failure('garbled');
    return { body: answer.body ?? {}, now };
  }

  #end(sentence) {
    this.#ended = sentence;
    this.dispatchEvent(new Event('change'));
  }

  /** revoke writes a removal down before it asks for it: docs/protocol.md 4.6. */
  async revoke(body, name, seen) {
    const from = seen ?? this.ledger.last; // all its sendings carry it, since the answer may be to any of them
    const pending = { jti: token(), body, name, cp: from?.note };
    await this.#keep((list) => [...list, pending]);
    const { body: done } = await this.#removed(pending, from);
    return done;
  }

  // removed asks for a removal, once at a time however many wait for it.
  #removed(pending, seen) {
    const { jti } = pending;
    if (!this.#removing.has(jti)) this.#removing.set(jti, this.#remove(pending, seen).finally(() => this.#removing.delete(jti)));
    return this.#removing.get(jti);
  }

  async #remove(pending, seen) {
    const settled = () => this.#keep((list) => list.filter((r) => r.jti !== pending.jti));
    try {
      const done = await this.#ask({ op: 'revoke', body: pending.body, jti: pending.jti }, seen);
      await settled();
      return done;
    } catch (error) {
      if (error.answered && !unanswered.includes(error.code)) await settled();
      throw error;
    }
  }

  // keep changes the list of removals, which other pages of this browser change, too.
  async #keep(change) {
    const kept = await this.#store.update(this.#pending, (list = []) => {
      const next = change(list);
      return next.length > 0 ? next : undefined;
    });
    this.#revoking = kept ?? [];
    this.dispatchEvent(new Event('change'));
  }

  // repeat asks again for what was not answered, before anything else is sent.
  async #repeat() {
    for (const pending of [...this.#revoking]) {
      const seen = pending.cp ? await this.ledger.read(pending.cp) : undefined;
      await this.#removed(pending, seen).catch((error) => { if (!error.answered) throw error; });
    }
  }

  // share has the camera tell the other members of an alarm.
  async #share() {
    if (!await this.ledger.provable()) return;
    await this.#repeat();
    const { have, got } = this.ledger.alarm;
    const { answer } = await this.requests.ask({ op: 'alarm', body: { have, got }, cp: got });
    if (answer.code === 'ok') await this.ledger.told();
  }

  /** session has take called with kind and body of each signal of a session; the returned function ends that. */
  session(sid, take) {
    this.#sessions.set(sid, { take, n: 0 });
    return () => this.#sessions.delete(sid);
  }

  // queue keeps the order in which messages came.
  #queue({ kind, text }) {
    if (this.#waiting >= mostWaiting) return; // what is lost is asked for again
    this.#waiting++;
    this.#taking = this.#taking.then(() => (kind === 'status' ? this.#status(text) : this.#take(text)))
      .catch(() => {}) // not the camera's: nothing of it is shown
      .finally(() => { this.#waiting--; });
  }

  async #take(text) {
    const jws = await unsealed(text, this.#keys);
    const { typ } = header(jws);
    if (!['camd-ans+jwt', 'camd-sig+jwt', 'camd-note+jwt'].includes(typ)) return;
    const claims = await opened(jws, typ, this.#hhSig);
    if (claims.iss !== this.trio.deviceId || claims.aud !== this.#keys.name || claims.ep !== this.trio.ep) return;
    if (typ === 'camd-ans+jwt') this.requests.take(claims);
    else if (typ === 'camd-sig+jwt') this.#signal(claims);
    else this.#notice(claims);
  }

  #signal({ sid, n, kind, body }) {
    const session = this.#sessions.get(sid);
    if (!session || !Number.isSafeInteger(n) || n <= session.n || typeof body !== 'object' || body === null) return;
    session.n = n;
    session.take(kind, body);
  }

  // expect takes the number of the newest notice from an answer: whoever carries notices can keep
  // them back. docs/protocol.md 4.8.
  #expect(n, { size }) {
    if (!Number.isSafeInteger(n) || n >= size || n <= this.#told) return;
    const first = this.#told === undefined;
    this.#told = n;
    if (!first) this.dispatchEvent(new Event('missed'));
  }

  #notice({ n = 0, entry: text }) {
    const entry = readEntry(text), size = this.ledger.last?.size ?? 0;
    if (!Number.isSafeInteger(n) || n < 0 || entry.ep !== this.trio.ep || this.#notices.get(n) === text) return; // one may come twice
    if (n < this.#past || n + mostNotices < size) return; // whoever carries notices can show an old one again
    if (n < size + noticeLead) this.#told = Math.max(n, this.#told ?? 0);
    this.#notices.set(n, text);
    if (this.#notices.size > mostNotices) this.#notices.delete(this.#notices.keys().next().value);
    this.dispatchEvent(new CustomEvent('notice', { detail: { n, entry } }));
  }

  async #status(text) {
    const { online, epoch } = json(text);
    // A camera that comes back later than the broker says again what the broker has kept of it.
    if (typeof online === 'boolean' && (online !== this.#online || (online && !this.#answered))) {
      this.#online = online;
      if (!online) this.#answered = undefined;
      else if (this.broker.up) this.dispatchEvent(new Event('up'));
      this.dispatchEvent(new Event('change'));
    }
    if (typeof epoch !== 'string') return;
    const said = await opened(epoch, 'camd-epoch+jwt', this.#identity);
    const trio = await opened(said.trio, 'camd-trio+jwt', this.#identity);
    if (said.deviceId !== this.trio.deviceId || trio.deviceId !== said.deviceId || trio.ep !== said.ep || !(said.ep > this.trio.ep)) return;
    const why = said.reason ? ` (${line(said.reason)})` : '';
    this.#end(`The camera's household has ended and a new one has begun${why}: the camera no longer knows anyone of the earlier one. Pair again at the camera, or ask its owner to add you.`);
  }
}

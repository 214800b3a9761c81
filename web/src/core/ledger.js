// What this client knows of a camera's access log, and the alarm if the camera contradicts it:
// docs/protocol.md 6.7 and 6.8.
import { base64url, sha256, utf8 } from '../../setup/bytes.js';
import { line } from '../../setup/problem.js';
import { asAsked, entered, readEntry } from './entries.js';
import { continues, Contradiction, included, readCheckpoint } from './log.js';

const keptHashes = 327680; // of so many entries a camera keeps at least the hashes (6.5)

const what = {
  rollback: 'shows an access log that is shorter than it was: entries are gone, or its storage was put back to an earlier state',
  fork: 'shows an access log that contradicts the one that it showed before: entries were changed',
  proof: 'does not prove that its access log continues the one that it showed before: entries may have been changed',
  checkpoint: 'sent an answer without the signed state of its access log, or with one that is not its own',
  entry: 'did something without entering it into its access log as it was asked for',
  away: 'can\'t prove that its access log continues the one that it showed before: you were away for so long that it keeps no hashes of that time any more',
  texts: 'sent entries of its access log that are not those that it signed',
};

class Breach extends Error {
  /** have is the note that is contradicted. */
  constructor(kind, cause, have) {
    super(cause.message, { cause });
    this.kind = kind;
    this.have = have;
  }
}

/**
 * Ledger keeps the last checkpoint that was verified, and the alarm until someone
 * acknowledges it. It fires 'alarm' with a new one in its detail.
 */
export class Ledger extends EventTarget {
  #store;
  #trio;
  #keys;

  constructor(store, keys, trio) {
    super();
    this.#store = store;
    this.#keys = keys;
    this.#trio = trio;
    /** where it is kept */
    this.key = `log/${trio.deviceId}/${trio.ep}`;
    /** the last checkpoint that was verified */
    this.last = undefined;
    this.alarm = undefined;
  }

  static async open(store, keys, trio) {
    const l = new Ledger(store, keys, trio);
    await l.#take(await store.get(l.key));
    return l;
  }

  async #take(kept) {
    this.last = kept?.note ? await readCheckpoint(kept.note, this.#trio).catch(() => undefined) : undefined;
    this.alarm = kept?.alarm;
  }

  /** follow takes an alarm, or its end, that another page of this browser has kept. It reports whether there was one. */
  async follow() {
    const kept = await this.#store.get(this.key);
    if (Boolean(kept?.alarm) === Boolean(this.alarm)) return false;
    await this.#take(kept);
    return true;
  }

  /** read reads a checkpoint of this log. */
  read(note) { return readCheckpoint(note, this.#trio); }

  /** alarmSentence says what was seen, and what to do. */
  alarmSentence(camera) {
    if (!this.alarm) return '';
    const said = Object.hasOwn(what, this.alarm.kind) ? what[this.alarm.kind] : 'contradicts its access log';
    return `The camera ${line(camera)} ${said}. Trust neither its log nor its pictures before you know why: ask the other members, and have someone look at the camera.`;
  }

  /**
   * verify compares what an answer says of the log with from, the checkpoint that the request
   * carried. It throws nothing: what does not fit is the alarm. It returns the answer's
   * checkpoint if it was proved.
   */
  async verify(request, sent, answer, from) {
    if (request.op === 'hello' || answer.cp === undefined && answer.code !== 'ok') return undefined;
    try {
      const now = await this.#continued(answer, from);
      await this.#entered(request, sent, answer, now);
      await this.#advance(from, now);
      return now;
    } catch (error) {
      if (!(error instanceof Breach)) throw error;
      await this.raise(error.kind, answer.cp, request.op, error.have);
      return undefined;
    }
  }

  async #continued({ cp, proof }, from) {
    const now = await readCheckpoint(cp, this.#trio).catch((e) => { throw new Breach('checkpoint', e); });
    if (!from) return now;
    try {
      await continues(from, now, proof?.con);
    } catch (error) {
      const kind = error instanceof Contradiction ? error.kind : 'proof';
      const away = kind === 'proof' && !proof?.con?.length && now.size - from.size >= keptHashes;
      throw new Breach(away ? 'away' : kind, error, from.note);
    }
    return now;
  }

  // entered verifies that what the camera did is in its log as it was asked for.
  async #entered(request, sent, answer, now) {
    const entry = answer.proof?.entry;
    try {
      if (!entry) {
        if (answer.code === 'ok' && entered(request, answer)) throw new Error(`no entry for ${request.op}`);
        return;
      }
      await included(entry, now);
      const e = readEntry(entry.text);
      if (e.ep !== this.#trio.ep || e.who !== this.#keys.name) throw new Error('the entry is of someone else');
      await asAsked(request, e, answer.code, await Promise.all(sent.map(async (jws) => base64url(await sha256(utf8(jws))))));
    } catch (error) {
      throw new Breach('entry', error);
    }
  }

  // advance keeps now, unless another checkpoint than from was kept meanwhile: nothing proves
  // that now continues that one, and the next request asks for it.
  async #advance(from, now) {
    let contradicts = '';
    const kept = await this.#store.update(this.key, (k = {}) => {
      const note = k.note ?? '';
      const [, size, root] = note.split('\n');
      const [, , nowRoot] = now.note.split('\n');
      if (note !== '' && Number(size) === now.size && root !== nowRoot) contradicts = note;
      return contradicts || note !== (from?.note ?? '') && !sameTree(note, from) ? k : { ...k, note: now.note };
    });
    if (contradicts) throw new Breach('fork', new Error('two logs of one size'), contradicts);
    if (kept.note !== this.last?.note) this.last = await readCheckpoint(kept.note, this.#trio);
  }

  /** raise keeps an alarm, unless there is one. have is the note that got contradicts. */
  async raise(kind, got, op, have = this.last?.note ?? '') {
    const alarm = { kind, have, got: typeof got === 'string' ? got : '', op, at: new Date(), told: false };
    let first = false;
    const kept = await this.#store.update(this.key, (k = {}) => {
      first = !k.alarm;
      return first ? { ...k, alarm } : k;
    });
    this.alarm = kept.alarm;
    if (first) this.dispatchEvent(new CustomEvent('alarm', { detail: this.alarm }));
  }

  /** provable reports whether the alarm holds two signed states that the camera can pass on. */
  async provable() {
    const { have, got, kind, told } = this.alarm ?? { told: true };
    if (told || have === got || kind === 'away') return false;
    try {
      await Promise.all([readCheckpoint(have, this.#trio), readCheckpoint(got, this.#trio)]);
      return true;
    } catch {
      return false;
    }
  }

  async told() {
    const kept = await this.#store.update(this.key, (k) => (k?.alarm ? { ...k, alarm: { ...k.alarm, told: true } } : k));
    this.alarm = kept?.alarm;
  }

  /** acknowledge ends the alarm: what the camera shows now is believed from here on. */
  async acknowledge() {
    const got = this.alarm?.got;
    const now = got ? await readCheckpoint(got, this.#trio).catch(() => undefined) : undefined;
    const kept = await this.#store.update(this.key, ({ alarm, ...k } = {}) => ({ ...k, note: now?.note ?? k.note, acknowledged: alarm }));
    this.alarm = undefined;
    this.last = kept.note ? await readCheckpoint(kept.note, this.#trio) : undefined;
  }
}

// sameTree reports whether a note is of the size and root of a checkpoint.
function sameTree(note, checkpoint) {
  if (!note || !checkpoint) return note === '' && !checkpoint;
  return note.split('\n').slice(0, 3).join('\n') === checkpoint.note.split('\n').slice(0, 3).join('\n');
}

// The access log as it is read: every entry is compared with what the camera signed. docs/protocol.md
// 4.12, 6.7.
import { readEntry } from './entries.js';
import { ofMilliseconds } from './dates.js';
import { partOf, tell } from './history.js';
import { front, hash, leafOf, Tree } from './log.js';
import { same } from '../../setup/bytes.js';
import { failure } from './refusal.js';

const keptHashes = 327680; // a camera that shows fewer than so many hides some (6.7)
const unpaced = 60, pause = 60; // pages at once, and milliseconds between the others: 5.1 step 1
const ownWindow = 2048; // entries that are looked at for a member who may see its own only

/** Records reads a camera's log, and keeps what it read while the page is open. */
export class Records {
  #peer;
  #zone;
  #tree = new Tree();
  #entries = []; // from number #first on
  #first = 0;
  #reading = Promise.resolve();

  /** zone returns the household's time zone, for points in time that entries name. */
  constructor(peer, zone) {
    this.#peer = peer;
    this.#zone = zone;
  }

  /**
   * read returns the newest entries, or the newest of those before number before.
   * @param {{before?: number, count?: number, complete: boolean}} which complete: this client may see all
   * @returns {Promise<import('./types.js').History>}
   */
  read(which) {
    const done = this.#reading.then(() => (which.complete ? this.#all(which) : this.#own(which)));
    this.#reading = done.catch(() => {});
    return done;
  }

  async #all({ before = Infinity, count = 100 }) {
    let end;
    for (let pages = 0; ; pages++) {
      if (pages > unpaced) await new Promise((resolve) => { setTimeout(resolve, pause); });
      const had = this.#tree.size;
      const { body, now } = await this.#peer.call('log', { from: had });
      end ??= now;
      if (!end) break; // the alarm says why
      await this.#take(body, end);
      // An entry may come between the first page and the state that is signed with it: the second page has it.
      if (this.#tree.size >= end.size || pages > 0 && this.#tree.size === had) break; // a page that gives nothing is the last
    }
    const verified = end !== undefined && await this.#proved(end);
    const upTo = Math.min(before, this.#tree.size), first = Math.max(this.#first, upTo - count);
    const entries = this.#entries.slice(first - this.#first, Math.max(0, upTo - this.#first));
    return this.#history(entries, { verified, complete: true, size: this.#tree.size, begin: first > this.#first ? first : 0 });
  }

  // take adds a page's records to the tree. One that is not the next is no log.
  async #take({ records = [], forgot = 0, peaks }, end) {
    if (forgot > 0 && this.#tree.size < forgot) {
      if (this.#tree.size > 0) this.#restart();
      this.#tree = new Tree(readable(() => front({ forgot, peaks })));
      this.#first = forgot;
    }
    for (const { n = 0, text, hash: leaf } of objects(records)) {
      if (n >= end.size || n < this.#tree.size) continue; // newer than the first answer, or read before
      if (n !== this.#tree.size) return; // its root will not be the one that was signed
      await this.#tree.add(typeof text === 'string' ? await leafOf(text) : readable(() => hash(leaf)));
      this.#entries.push(this.#entry(n, text));
    }
  }

  #restart() {
    this.#tree = new Tree();
    this.#entries = [];
    this.#first = 0;
  }

  async #proved(end) {
    const hidden = this.#first > 0 && this.#tree.size - this.#first < keptHashes;
    if (this.#tree.size === end.size && !hidden && same(await this.#tree.root(), end.root)) return true;
    this.#restart();
    await this.#peer.ledger.raise('texts', end.note, 'log');
    return false;
  }

  // own looks at one stretch of the log after the other, the newest first, until it has found something.
  async #own({ before = Infinity, count = 100 }) {
    let first = Math.min(before, this.#peer.ledger.last?.size ?? 0), upTo = before, pages = 0, size = 0, proved = true;
    const found = [];
    do {
      first = Math.max(0, first - ownWindow);
      for (let next = first; pages++ < unpaced;) {
        const { body, now } = await this.#peer.call('log', { from: next });
        proved &&= now !== undefined;
        size = now?.size ?? size;
        for (const { n = 0, text } of objects(body.records)) if (typeof text === 'string' && n >= first && n < upTo) found.push(this.#entry(n, text));
        if (countOf(body.next) <= next || body.next >= upTo) break;
        next = body.next;
      }
      upTo = first;
    } while (found.length === 0 && first > 0 && pages < unpaced);
    const entries = found.slice(-count);
    return this.#history(entries, { verified: proved, complete: false, size, begin: entries.length < found.length ? entries[0].n : first });
  }

  #entry(n, text) {
    if (!text) return { n, kind: 'dropped', sentence: 'The camera no longer keeps what this entry said.' };
    try {
      const e = readEntry(text);
      return { n, time: ofMilliseconds(e.t), kind: e.k, op: e.op || undefined, who: e.who || undefined, sentence: tell(e, this.#zone()), ...partOf(e) };
    } catch {
      return { n, kind: 'unknown', sentence: 'This entry is of a kind that this page can\'t read. Update the page.' };
    }
  }

  #history(entries, { verified, complete, size, begin }) {
    const sure = verified && !this.#peer.ledger.alarm;
    const sentence = !sure ? 'The access log is not verified: see the alarm.'
      : complete ? `All ${size} entries were compared with what the camera signed, and the log only grew since this page saw it last.`
        : 'The log only grew since this page saw it last. You may see the entries about yourself, so the others could not be compared.';
    return { entries: entries.map((e) => ({ ...e, verified: sure && complete })), verified: sure, complete, size, begin, sentence };
  }
}

// readable has what can't be read be a sentence.
function readable(read) {
  try {
    return read();
  } catch (cause) {
    throw failure('garbled', cause);
  }
}

function objects(list) {
  if (!Array.isArray(list) || list.some((o) => typeof o !== 'object' || o === null)) throw failure('garbled');
  return list;
}

const countOf = (n) => (Number.isSafeInteger(n) && n > 0 ? n : 0);

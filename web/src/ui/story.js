// What happened, as people tell it: one line for what began and ended, instead of two.
import { lasted } from './time.js';
import { words } from './words.js';

/**
 * story gives what began its end, which then has no line of its own, and makes one line of all
 * entries that the camera no longer keeps.
 * @param {import('../core/types.js').Entry[]} entries
 * @returns {(import('../core/types.js').Entry & {end?: import('../core/types.js').Entry})[]}
 */
export function story(entries) {
  const began = new Map(entries.filter((e) => e.did !== undefined).map((e) => [e.n, e]));
  const ends = new Map();
  const lines = entries.filter((e) => {
    const begin = began.get(e.ends);
    if (!begin || begin.kind !== e.op || begin.who !== e.who || ends.has(begin)) return true;
    ends.set(begin, e);
    return false;
  });
  const dropped = lines.filter((e) => e.kind === 'dropped');
  return lines.filter((e) => e.kind !== 'dropped' || e === dropped.at(-1))
    .map((e) => (ends.has(e) ? { ...e, end: ends.get(e) } : dropped.length > 1 && e === dropped.at(-1) ? { ...e, sentence: words.history.dropped(dropped.length) } : e));
}

/** during is the sentence of an entry: with its end, how long it lasted and why it ended. */
export function during({ sentence, did, time, end }) {
  if (!end) return sentence;
  const known = time && end.time && end.time >= time; // the camera's clock may have been set meanwhile
  return end.whole ?? words.history.during(did, known ? lasted(end.time - time) : '', end.because);
}

/**
 * olderThan returns those of the entries that were read before which are older than all of a log
 * that is read now. Where some between the two may be missing, or either was not verified, it is none of them.
 * @param {import('../core/types.js').History} log
 * @param {import('../core/types.js').Entry[]} [entries]
 * @param {import('../core/types.js').History} [before] the log that was read before
 */
export function olderThan(log, entries = [], before) {
  const first = log.entries[0]?.n;
  return log.verified && before?.verified && entries.at(-1)?.n >= first ? entries.filter((e) => e.n < first) : [];
}

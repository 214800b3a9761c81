// What happened, as people tell it: one line for what began and ended, instead of two.
import { lasted } from './time.js';
import { words } from './words.js';

/**
 * story leaves out ends that say no more than when, and gives their time to what they end.
 * @param {import('../core/types.js').Entry[]} entries
 * @returns {(import('../core/types.js').Entry & {until?: Date})[]}
 */
export function story(entries) {
  const ends = new Map();
  const known = new Set(entries.map((e) => e.n));
  for (const e of entries) if (known.has(e.ends)) ends.set(e.ends, e.time);
  return entries.filter((e) => !known.has(e.ends)).map((e) => (ends.has(e.n) ? { ...e, until: ends.get(e.n) } : e));
}

/** during is the sentence of an entry, with how long it lasted. */
export function during({ sentence, kind, time, until }) {
  return time && until && kind !== 'snapshot' ? words.history.during(sentence.replace(/\.$/, ''), lasted(until - time)) : sentence;
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

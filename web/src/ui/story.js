// What happened, as people tell it: one line for what began and ended, instead of two.

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

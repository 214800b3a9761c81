// A text that is too long for one QR code that a phone reads well is shown in parts, one after
// the other: docs/protocol.md 2.8.

const whole = 700, piece = 480; // characters in one code; in a part
const mark = 'CAMD-PART:', most = 64;

/** parts cuts a text into what the codes hold. */
export function parts(text) {
  if (text.length <= whole) return [text];
  const count = Math.ceil(text.length / piece), name = text.slice(-8);
  return Array.from({ length: count }, (_, i) => `${mark}1?${i + 1}/${count}/${name}/${text.slice(i * piece, (i + 1) * piece)}`);
}

/** Collector puts parts together again, in whatever order they come. */
export class Collector {
  #name = '';
  #have = new Map();
  count = 1;

  get have() { return this.#have.size; }

  /** add takes what one code held. It returns the whole text once all parts are there. */
  add(text) {
    if (!text.startsWith(mark)) return text;
    const [, number, count, name, held] = /^CAMD-PART:1\?(\d{1,2})\/(\d{1,2})\/(.{8})\/(.*)$/s.exec(text) ?? [];
    if (!(count >= 2 && count <= most && number >= 1 && Number(number) <= count)) return undefined;
    if (`${count}/${name}` !== this.#name) this.#have.clear(); // of another text
    this.#name = `${count}/${name}`;
    this.count = Number(count);
    this.#have.set(Number(number), held);
    if (this.have < this.count) return undefined;
    return Array.from({ length: this.count }, (_, i) => this.#have.get(i + 1)).join('');
  }
}

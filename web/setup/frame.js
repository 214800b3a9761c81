// Frames, by which messages go through a characteristic: docs/protocol.md 14.4.
import { concat } from './bytes.js';

const first = 1 << 7, last = 1 << 6, numbers = 1 << 6;
const maxMessage = 16384;

export const minSize = 20, maxSize = 500;

// Writer cuts the messages of a conversation.
export class Writer {
  #number = 0;

  // frames gives those of a message one by one. size is asked for each, since more may be
  // known of the link by then.
  * frames(message, size = () => minSize) {
    if (message.length === 0 || message.length > maxMessage) throw new Error(`a message of ${message.length} bytes`);
    for (let at = 0; at < message.length;) {
      const piece = message.subarray(at, at + size() - 1);
      const flags = (at === 0 ? first : 0) | (at + piece.length === message.length ? last : 0);
      yield concat([flags | this.#number], piece);
      this.#number = (this.#number + 1) % numbers;
      at += piece.length;
    }
  }
}

// Reader joins them. It refuses whatever a Writer does not make.
export class Reader {
  #pieces = [];
  #length = 0;
  #number = 0;

  // add takes the next frame, and returns the message if that was its last one.
  add(frame) {
    this.#length += frame.length - 1;
    if (frame.length < 2 || frame.length > maxSize || this.#length > maxMessage) throw new Error('a frame or a message of a wrong size');
    if (frame[0] % numbers !== this.#number || !(frame[0] & first) !== this.#pieces.length > 0) throw new Error('not the next frame');
    this.#number = (this.#number + 1) % numbers;
    this.#pieces.push(frame.subarray(1));
    if (!(frame[0] & last)) return undefined;
    const message = concat(...this.#pieces);
    [this.#pieces, this.#length] = [[], 0];
    return message;
  }
}

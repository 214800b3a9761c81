// Pairing over a WebSocket, one message in each direction a frame: docs/protocol.md 3. The demo
// has one; what crosses it is as little believed as what crosses Bluetooth.
import { problem } from '../../setup/problem.js';

const openTimeout = 10000;

/** Wire sends and receives whole messages. */
export class Wire {
  #socket;
  #came = [];
  #waits;
  #ended = false;

  constructor(socket) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => {
      this.#came.push(data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array());
      this.#give();
    };
    socket.onclose = socket.onerror = () => {
      this.#ended = true;
      this.#give();
    };
  }

  static open(url, dial = (u) => new WebSocket(u)) {
    const socket = dial(url), wire = new Wire(socket);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => socket.close(), openTimeout);
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(wire);
      };
      socket.addEventListener('close', () => {
        clearTimeout(timer);
        reject(problem('unreachable'));
      });
    });
  }

  async send(bytes) {
    if (this.#ended) throw problem('ended');
    this.#socket.send(bytes);
  }

  receive() {
    return new Promise((resolve, reject) => {
      this.#waits = { resolve, reject };
      this.#give();
    });
  }

  #give() {
    if (!this.#waits || this.#came.length === 0 && !this.#ended) return;
    const { resolve, reject } = this.#waits;
    this.#waits = undefined;
    if (this.#came.length > 0) resolve(this.#came.shift());
    else reject(problem('ended'));
  }

  close() { this.#socket.close(); }
}

// A camera that is near, by Web Bluetooth: docs/protocol.md 14. Nothing here trusts what it
// hears; the pairing over it does not either.
import { json } from './bytes.js';
import { maxSize, minSize, Reader, Writer } from './frame.js';
import { expect, problem } from './problem.js';

const uuid = (n) => `995c000${n}-ab38-4df1-b73f-0bafa5ab99b9`;

export const serviceUUID = uuid(0);
const characteristics = { info: uuid(1), rx: uuid(2), tx: uuid(3), status: uuid(4) };

const version = 1;
const connectTries = 3, connectPause = 1000; // links fail, and then don't
const pollPause = 200;  // while a message is waited for
const awakePause = 3000; // while a person thinks; the camera hangs up after ten seconds

const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

// The states of docs/protocol.md 14.5.
const busy = 1, open = 2;
const whys = { 1: 'slow', 2: 'garbled' };

// choose lets the person choose a camera, in the browser's own window. It is called while a
// click is handled, before anything else is waited for.
export async function choose(bluetooth) {
  if (!bluetooth) throw problem('unsupported');
  return expect('chosen', () => bluetooth.requestDevice({ filters: [{ services: [serviceUUID] }] }));
}

// Link is a conversation with one camera. It sends and receives whole messages.
export class Link {
  #device;
  #signal;
  #chars = {};
  #last = Promise.resolve(); // a browser refuses what is asked for before the last answer
  #writer = new Writer();
  #reader = new Reader();
  #size = minSize;
  #close = () => this.close();

  constructor(device, signal) {
    this.#device = device;
    this.#signal = signal;
  }

  // connect finds out what camera it is: { device, owned }. Neither is proved by that.
  static async connect(device, signal) {
    const link = new Link(device, signal);
    signal?.addEventListener('abort', link.#close);
    try {
      link.info = who(await link.#open());
      return link;
    } catch (error) {
      link.close();
      throw signal?.aborted ? signal.reason : error;
    }
  }

  // #open returns the characteristic info.
  async #open() {
    for (let tries = 1; ; tries++) {
      this.#signal?.throwIfAborted();
      try {
        const server = await this.#device.gatt.connect();
        const service = await server.getPrimaryService(serviceUUID);
        for (const [name, id] of Object.entries(characteristics)) this.#chars[name] = await service.getCharacteristic(id);
        return await this.#read('info');
      } catch (error) {
        if (tries === connectTries) throw problem('unreachable', error);
        await pause(connectPause);
      }
    }
  }

  async #read(name) {
    const value = await this.#chars[name].readValue();
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  }

  // #operation has a camera's refusal, or the end of the link, be a problem.
  async #operation(work) {
    try {
      return await this.#inTurn(work);
    } catch (error) {
      if (this.#signal?.aborted) throw this.#signal.reason;
      throw await this.#why(error);
    }
  }

  #inTurn(work) {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  // #why asks the camera itself, if it is still there, how the conversation is.
  async #why(cause) {
    let status;
    try {
      status = await this.#inTurn(() => this.#read('status'));
    } catch { /* it has gone */ }
    return stands(status) ?? problem('ended', cause);
  }

  async send(message) {
    for (const frame of this.#writer.frames(message, () => this.#size)) {
      await this.#operation(() => this.#chars.rx.writeValueWithResponse(frame));
    }
  }

  async receive() {
    for (;;) {
      const frame = await this.#operation(() => this.#read('tx'));
      if (frame.length === 0) {
        await pause(pollPause);
        continue;
      }
      // A page isn't told the MTU. What the camera fits into it, we can, too.
      this.#size = Math.min(Math.max(this.#size, frame.length), maxSize);
      const message = await expect('garbled', () => this.#reader.add(frame));
      if (message) return message;
    }
  }

  // awake keeps the camera waiting while work, a promise, is not done. It fails as soon as
  // the camera has ended the conversation, or the page has.
  async awake(work) {
    let done = false;
    const watch = async () => {
      for (;;) {
        await pause(awakePause);
        if (done) return;
        const ended = stands(await this.#operation(() => this.#read('status')));
        if (ended) throw ended;
      }
    };
    let leave;
    const left = new Promise((_, fail) => { leave = () => fail(this.#signal.reason); });
    this.#signal?.addEventListener('abort', leave);
    try {
      return await Promise.race([work, watch(), left]);
    } finally {
      done = true;
      this.#signal?.removeEventListener('abort', leave);
    }
  }

  close() {
    this.#signal?.removeEventListener('abort', this.#close);
    this.#device.gatt.disconnect();
  }
}

// who is 14.3.
function who(value) {
  let info;
  try {
    info = json(value);
  } catch (error) {
    throw problem('unknown', error);
  }
  if (info.v > version) throw problem('newer');
  if (info.v !== version || typeof info.device !== 'string') throw problem('unknown');
  return { device: info.device, owned: info.owned === true };
}

// stands returns what is wrong by the characteristic status; nothing: the conversation is
// under way.
function stands(status) {
  if (!status || status.length < 2) return problem('gone');
  if (status[0] === busy) return problem('taken');
  if (status[0] === open) return undefined;
  return problem(whys[status[1]] ?? 'ended');
}

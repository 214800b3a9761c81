// This browser's home: its keys, and the cameras that it knows.
import { peek } from '../../setup/jose.js';
import { anyLabel } from '../../setup/label.js';
import { pair } from '../../setup/pairing.js';
import { line, Problem } from '../../setup/problem.js';
import { makeCode, readAnswer, setUpNear } from '../../setup.js';
import { Broker } from './broker.js';
import { Camera } from './camera.js';
import { readBroker, readCard } from './card.js';
import { Served, webSocket } from './config.js';
import { keepKeys, keyText, readKey, words } from './keys.js';
import { Wire } from './pairing.js';
import { Peer } from './peer.js';
import { unregister } from './push.js';
import { Store } from './store.js';

const kept = 'camera/'; // and the device's id: where a camera is kept

// same reports whether two records reach the same camera in the same way. Each page learns its name by itself.
const same = (a, b) => JSON.stringify({ ...a, name: '' }) === JSON.stringify({ ...b, name: '' });

const refuse = (code, sentence, cause) => new Problem(code, sentence, { cause });

const noAddress = () => refuse('no_address', 'Nothing says where this camera\'s broker is for browsers. Ask whoever runs the broker for its address, which begins with wss://, and type it.');

/** Home fires 'change' when a camera was added or removed. */
export class Home extends EventTarget {
  #store;
  #served;
  #keys;
  #dial;
  #records = new Map(); // by device, as they are used
  #following = Promise.resolve();

  constructor({ store, served, keys, text, persistent, dial }) {
    super();
    this.#store = store;
    this.#served = served;
    this.#keys = keys;
    this.#dial = dial;
    /** This client's key. text is what it passes on to be added; persistent reports whether
     * the browser promised to keep it: without that it may go when space is short. */
    this.keys = { name: keys.name, words: words(keys.name), text, persistent };
    /** @type {Camera[]} */
    this.cameras = [];
    /** sentences about what this browser kept of cameras and can't be used */
    this.damaged = [];
    /** reports whether a camera to try things with is at hand */
    this.demo = served.demo !== undefined;
    /** reports whether the page's server gives logins at the broker */
    this.logins = served.gives;
    store.addEventListener('changed', ({ detail: key }) => {
      if (key.startsWith(kept)) this.#following = this.#following.then(() => this.#follow(key)).catch((error) => this.#damage(error));
    });
  }

  /** open reads this browser's home, and makes its keys at the first time. */
  static async open({ store, served, dial } = {}) {
    await able();
    store ??= await Store.open(new BroadcastChannel('camd'));
    const keys = await keepKeys(store);
    const home = new Home({
      store, keys, dial, served: served ?? await Served.read(store), text: await keyText(keys),
      persistent: await globalThis.navigator?.storage?.persist?.().catch(() => false) ?? false,
    });
    home.#served.servers(); // so that they are there when someone watches
    for (const record of await store.all(kept)) {
      if (home.#over(record)) {
        await store.update(kept + record.device, () => undefined);
        unregister(record.device);
      } else await home.#begin(record).catch((error) => home.#damage(error));
    }
    return home;
  }

  // over reports whether a record is of an earlier demo's camera, of which nothing is left: each has one of its own.
  #over({ demo, device }) { return demo === true && this.#served.demo !== undefined && this.#served.demo.device !== device; }

  #damage({ message }) {
    this.damaged.push(message);
    this.dispatchEvent(new Event('change'));
  }

  // follow does what another page of this browser did: it added a camera, or removed it.
  async #follow(key) {
    const record = await this.#store.get(key), device = key.slice(kept.length);
    const camera = this.cameras.find((c) => c.device === device);
    if (camera && record && same(record, this.#records.get(device))) return;
    camera?.close();
    if (record) await this.#begin(record);
    else this.#drop(device);
  }

  /** wake tries at once to reach the cameras, for a reason to think that it works now. */
  wake() { for (const camera of this.cameras) camera.wake(); }

  // begin connects to a camera.
  async #begin(record) {
    const address = this.#address(record);
    const web = address?.startsWith('wss:') ? address : record.web; // cards that this client makes name it
    let prepared;
    try {
      prepared = await Peer.prepare({ ...record, web }, this.#store, this.#keys);
    } catch (cause) {
      throw refuse('kept', `What this browser kept of the camera ${line(record.name || record.device)} is damaged. Pair again at the camera, or ask its owner for a new card.`, cause);
    }
    this.#records.set(record.device, record);
    const peer = new Peer(prepared, () => this.#where(record), { dial: this.#dial });
    const camera = new Camera(peer, { keys: this.#keys, store: this.#store, login: (client) => this.#served.login(client), servers: async () => this.#served.servers(await this.#where(record)) });
    this.cameras = [...this.cameras.filter((c) => c.device !== camera.device), camera];
    this.dispatchEvent(new Event('change'));
    return camera;
  }

  #address({ web, broker }) { return web || broker.web || (broker.url?.startsWith('wss://') ? broker.url : this.#served.broker?.url); }

  // where is a camera's broker for a browser, with this client's login there.
  async #where(record) {
    const url = this.#address(record);
    if (!url) throw noAddress();
    const { user, password } = record.broker.user ? record.broker : await this.#served.login(this.#keys.name);
    return { url: webSocket(url), user, password };
  }

  // keep writes a camera down, in place of what was known of it, and connects to it.
  async #keep(record) {
    if (this.#served.demo?.device === record.device) record.demo = true; // however it came: by a card, too
    await this.#store.update(kept + record.device, (old) => {
      replaces(old, record);
      return record;
    });
    this.cameras.find((c) => c.device === record.device)?.close();
    return this.#begin(record);
  }

  /**
   * setAddress says where a camera's broker is for browsers, wss://…, where nothing else does.
   * @returns {Promise<Camera>} in place of camera
   */
  async setAddress(camera, address) {
    const web = webSocket(address);
    const record = await this.#store.update(kept + camera.device, (old) => ({ ...old, web }));
    camera.close();
    return this.#begin(record);
  }

  /** forget removes a camera from this browser. The household keeps this client until someone revokes it. */
  async forget(camera) {
    await this.#store.update(kept + camera.device, () => undefined);
    camera.close();
    this.#drop(camera.device);
  }

  #drop(device) {
    unregister(device); // best effort: it works offline, too
    this.cameras = this.cameras.filter((c) => c.device !== device);
    this.dispatchEvent(new Event('change'));
  }

  /** readKey reads the key that a new member passes on: { card, name, words }. */
  readKey(text) { return readKey(text); }

  /**
   * readCard opens a camera card. Nothing is kept.
   * @returns {Promise<import('./types.js').Invitation>}
   */
  async readCard(text) {
    const { record, signer, words: theirs, by } = await readCard(text, this.#keys);
    const old = await this.#store.get(kept + record.device);
    replaces(old, record);
    return {
      signer, words: theirs, by, camera: record.name, member: record.member, role: record.role, broker: record.broker.web || record.broker.url || '',
      needsAddress: !record.broker.web && !this.#served.broker, changes: old ? changes(old, record) : [],
    };
  }

  /**
   * addCard keeps the camera of a card, once its person has compared the words.
   * @param {string} text
   * @param {{words: string, broker?: string, password?: string}} compared words: the signer's, as they were compared; broker: its address for browsers, if the card names none
   * @returns {Promise<Camera>}
   */
  async addCard(text, { words: compared, broker, password }) {
    const { record, words: theirs } = await readCard(text, this.#keys);
    if (theirs !== compared) throw refuse('card', 'This is not the card whose words were compared. Open it again.');
    if (broker) record.web = webSocket(broker);
    if (password) record.broker.password = password;
    if (!this.#address(record)) throw noAddress();
    return this.#keep(record);
  }

  /**
   * pairDemo pairs with the camera that the page's server has at hand.
   * @returns {Promise<Camera>}
   */
  async pairDemo() {
    if (!this.demo) throw refuse('no_demo', 'There is no camera to try here.');
    const { pair: url, label } = this.#served.demo;
    const wire = await Wire.open(url, this.#dial);
    try {
      return await this.#paired(await pair(wire, anyLabel(label), this.#keys));
    } finally {
      wire.close();
    }
  }

  /**
   * pairNear sets up a camera that is near, by Bluetooth, while a click is handled. See setup.js.
   * @returns {Promise<Camera>}
   */
  async pairNear({ label, show, settings, signal }) {
    return this.#paired(await setUpNear({ label, keys: this.#keys, show, settings: async (...asked) => this.#served.told(await settings(...asked)), signal }));
  }

  /**
   * pairCode sets up a camera by a code that is shown to its lens. show is called with the
   * parts to draw. See setup.js.
   * @param {{label: string, device?: string, settings: object, show: Function, signal: AbortSignal}} how
   * @returns {Promise<Camera>}
   */
  async pairCode({ label: text, device, settings, show, signal }) {
    const read = anyLabel(text), label = read.of(device || read.device);
    await this.#where({ broker: {} }); // before the code is shown: it has to be there for the answer
    const code = await makeCode(label, this.#keys, this.#served.told(settings));
    const broker = new Broker(() => this.#where({ broker: {} }), { device: label.device, client: this.#keys.name, dial: this.#dial });
    try {
      const answer = this.#answer(broker, label, code.name, signal);
      show(code.parts);
      return await this.#paired(await answer);
    } finally {
      broker.close();
    }
  }

  // answer waits for the camera that has read a code. Whoever has seen the code can send
  // something else meanwhile.
  #answer(broker, label, name, signal) {
    return new Promise((resolve, reject) => {
      broker.addEventListener('message', async ({ detail: { kind, text } }) => {
        if (kind !== 'out') return;
        const card = await readAnswer(text, label, this.#keys, name).catch(() => undefined);
        if (card) resolve(card);
      });
      broker.addEventListener('change', () => {
        if (broker.state === 'refused') reject(refuse('broker_refused', broker.sentence));
      });
      signal?.addEventListener('abort', () => reject(refuse('ended', 'Setting up was ended.')), { once: true });
    });
  }

  // paired keeps what pairing gave.
  #paired({ device, identity, trio, epoch, member, role, broker }) {
    let where;
    try {
      where = readBroker(broker);
    } catch (cause) {
      throw refuse('protocol', 'The camera names a broker that this page does not understand. Update the page.', cause);
    }
    return this.#keep({ device, identity, trio, epoch, name: '', member, role, broker: where });
  }
}

// able refuses a browser that can't have what the page is made of.
async function able() {
  if (!globalThis.crypto?.subtle) throw refuse('insecure', 'A browser gives this page its keys by https:// only, or on this machine itself. Open it by such an address.');
  try {
    await Promise.all(['Ed25519', 'X25519'].map((name) => crypto.subtle.generateKey(name, false, name === 'Ed25519' ? ['sign', 'verify'] : ['deriveBits'])));
  } catch (cause) {
    throw refuse('old', 'This browser is too old for this page: it lacks the signatures and keys that cameras use. Update it.', cause);
  }
}

// replaces refuses a record of another device, or of an earlier household, than is known.
function replaces(old, { device, identity, epoch }) {
  if (!old) return;
  if (old.identity !== identity) throw refuse('card', `This belongs to a device that calls itself ${line(device)} but has another key than the one that you know. Do not use it.`);
  if (old.epoch > epoch) throw refuse('card', 'This belongs to an earlier household of the camera. Ask for a new card.');
}

function changes(old, now) {
  const list = [];
  const told = (what, from, to) => { if (from !== to) list.push(`${what} changes from ${from || 'nothing'} to ${to || 'nothing'}.`); };
  if (old.epoch !== now.epoch) list.push('The camera has a new household; you were added to that one.');
  told('Your name there', old.member, now.member);
  told('Your role', old.role, now.role);
  told('The broker', line(old.broker.url), line(now.broker.url));
  told('The broker\'s address for browsers', line(old.web || old.broker.web), line(now.web || now.broker.web));
  told('Your login at the broker', line(old.broker.user), line(now.broker.user));
  if (old.broker.ca !== now.broker.ca || old.broker.serverName !== now.broker.serverName) list.push('What proves the broker to other programs changes.');
  if (peek(old.trio, 'camd-trio+jwt').ep === now.epoch && old.trio !== now.trio) list.push('The camera\'s keys change.');
  return list;
}

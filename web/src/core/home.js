// This browser's home: its keys, and the cameras that it knows.
import { keepKeys, keyText, words } from './keys.js';
import { readConfig } from './config.js';
import { Store } from './store.js';

/**
 * Home fires 'change' when a camera was added or removed.
 */
export class Home extends EventTarget {
  #store;
  #config;

  constructor(store, config, keys, persistent, text) {
    super();
    this.#store = store;
    this.#config = config;
    /** This client's key. text is what it passes on to be let in; persistent reports whether
     * the browser promised to keep it: without that it may go when space is short. */
    this.keys = { name: keys.name, words: words(keys.name), text, persistent };
    /** @type {import('./camera.js').Camera[]} */
    this.cameras = [];
  }

  /** open reads this browser's home, and makes its keys at the first time. */
  static async open() {
    const [store, config] = await Promise.all([Store.open(), readConfig()]);
    const keys = await keepKeys(store);
    const persistent = await navigator.storage?.persist?.().catch(() => false) ?? false;
    return new Home(store, config, keys, persistent, await keyText(keys));
  }
}

// What the page keeps in this browser: IndexedDB, or memory where tests want it. Values are
// whatever the structured clone takes, keys that can't be exported among them.
import { Problem } from '../../setup/problem.js';

const name = 'camd', version = 1, table = 'kept';

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Store fires 'changed', with the key in its detail, when another page of this browser has changed something. */
export class Store extends EventTarget {
  #db;
  #pages;

  constructor(db, pages) {
    super();
    this.#db = db;
    this.#pages = pages;
    if (pages) pages.onmessage = ({ data }) => this.dispatchEvent(new CustomEvent('changed', { detail: data }));
  }

  /** open opens it. By pages, a BroadcastChannel, the pages of a browser hear of each other's changes. */
  static async open(pages) {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => request.result.createObjectStore(table);
    try {
      return new Store(await done(request), pages);
    } catch (cause) {
      throw new Problem('kept', 'This browser lets the page keep nothing, so it could not keep a key. Leave private browsing, or allow the page to store data.', { cause });
    }
  }

  #table(mode) { return this.#db.transaction(table, mode, { durability: 'strict' }).objectStore(table); }

  get(key) { return done(this.#table('readonly').get(key)); }

  // update replaces a value by what change makes of it, with no other page's change in
  // between, and returns the new one. What change returns as undefined is removed.
  async update(key, change) {
    const t = this.#table('readwrite');
    const value = change(await done(t.get(key)));
    const kept = new Promise((resolve, reject) => {
      t.transaction.oncomplete = resolve; // a request succeeds before anything is written
      t.transaction.onabort = () => reject(t.transaction.error);
    });
    if (value === undefined) t.delete(key); else t.put(value, key);
    await kept;
    this.#pages?.postMessage(key);
    return value;
  }

  // all returns the values whose key begins with prefix.
  all(prefix) { return done(this.#table('readonly').getAll(IDBKeyRange.bound(prefix, `${prefix}\uffff`))); }
}

// Memory is a store of one page's life. page returns the one that another page of the same browser has.
export class Memory extends EventTarget {
  #kept;
  #pages;

  constructor(kept = new Map(), pages = new Set()) {
    super();
    this.#kept = kept;
    this.#pages = pages.add(this);
  }

  page() { return new Memory(this.#kept, this.#pages); }

  async get(key) { return this.#kept.get(key); }

  async update(key, change) {
    const value = change(this.#kept.get(key));
    if (value === undefined) this.#kept.delete(key);
    else this.#kept.set(key, structuredClone(value));
    for (const page of this.#pages) if (page !== this) page.dispatchEvent(new CustomEvent('changed', { detail: key }));
    return value;
  }

  async all(prefix) { return [...this.#kept].filter(([key]) => key.startsWith(prefix)).sort().map(([, value]) => value); }
}

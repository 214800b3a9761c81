// What the server beside the page gives: config.json, and what that names. Every member may be
// absent, and so may all of it: a page that is only files needs none.
import { readLabel } from '../../setup/label.js';
import { Problem } from '../../setup/problem.js';

const problem = (sentence, cause) => new Problem('config', sentence, { cause });

const bad = (what) => problem(`The server of this page gave settings that can't be used: ${what}. Tell whoever runs it.`);

/** isHere reports whether a host is this machine. */
export const isHere = (host) => ['127.0.0.1', '[::1]', 'localhost'].includes(host) || host.endsWith('.localhost'); // RFC 6761

/** webSocket checks the address of a broker for browsers. Without TLS only this machine will do. */
export function webSocket(text) {
  let url;
  try {
    url = new URL(text);
  } catch (cause) {
    throw problem('The broker\'s address can\'t be read. It begins with wss://.', cause);
  }
  const { protocol, hostname, username, password, hash } = url;
  if (protocol !== 'wss:' && !(protocol === 'ws:' && isHere(hostname)) || username || password || hash) {
    throw problem('The broker\'s address must begin with wss://, and name no user.');
  }
  return url.href;
}

const host = (url) => /^[a-z]+:\/\/(\[[^\]]*\]|[^:/]*)/.exec(url)?.[1];

// basic is HTTP's basic authentication, RFC 7617.
const basic = (user, password) => `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${user}:${password}`)))}`;

/**
 * Served is what the page's server gives.
 *
 *   {"broker": {"url": "wss://…", "login": "…"}, "demo": {"pair": "…", "label": "CAMD:1?…"}, "turn": "…"}
 *
 * login, pair and turn are addresses beside the page: of a broker's login for a client, of a
 * WebSocket with the pairing transport, and of credentials for a TURN server.
 */
export class Served {
  #get;
  #login;
  #turn;
  #servers;
  #until = 0;

  constructor({ broker, demo, turn } = {}, { base = 'http://localhost/', get = (...args) => fetch(...args) } = {}) {
    this.#get = get;
    const beside = (path, scheme) => {
      const url = new URL(String(path), base);
      if (url.origin !== new URL(base).origin) throw bad('they name another server');
      return scheme === 'ws' ? url.href.replace(/^http/, 'ws') : url.href;
    };
    if (broker !== undefined) {
      this.broker = { url: webSocket(broker.url) };
      if (broker.login !== undefined) this.#login = beside(broker.login);
    }
    if (demo !== undefined) {
      this.demo = { pair: beside(demo.pair, 'ws'), label: demo.label, device: readLabel(demo.label).device };
    }
    if (turn !== undefined) this.#turn = beside(turn);
  }

  /** read reads config.json, and keeps what it says: the page starts without its server, too. */
  static async read(store) {
    const base = document.baseURI;
    let answer;
    try {
      answer = await fetch(new URL('config.json', base), { cache: 'no-store' });
    } catch {
      return new Served(await store.get('served'), { base });
    }
    if (!answer.ok || !answer.headers.get('Content-Type')?.includes('json')) return new Served();
    try {
      const said = await answer.json();
      const served = new Served(said, { base });
      await store.update('served', () => said);
      return served;
    } catch (cause) {
      throw cause instanceof Problem ? cause : bad('they can\'t be read');
    }
  }

  /** told returns settings for a camera, to which it adds where browsers meet it, if its broker is this page's. */
  told(settings) {
    const web = this.broker?.url, { broker } = settings ?? {};
    if (!broker || !web?.startsWith('wss:') || host(web) !== host(broker.url)) return settings;
    return { ...settings, broker: { webUrl: web, ...broker } };
  }

  async #json(address, headers) {
    const answer = await this.#get(address, { cache: 'no-store', headers });
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    return answer.json();
  }

  /** gives reports whether the server gives each client a login at the broker. */
  get gives() { return this.#login !== undefined; }

  /** login is how a client gets into the broker, where the server gives that. */
  async login(client) {
    if (!this.#login) return {};
    const url = new URL(this.#login);
    url.searchParams.set('client', client);
    try {
      const { user, password } = await this.#json(url);
      return { user: String(user), password: String(password) };
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw problem('The server of this page gives no login for the broker. Load the page again, or tell whoever runs it.', cause);
      throw problem(this.demo ? 'The demo has ended, or this browser can\'t reach it. Start it again, and open the address that it prints.'
        : 'The server of this page can\'t be reached. Check this device\'s network. If that works, the server is down: tell whoever runs it.', cause); // TypeError: fetch got no answer
    }
  }

  /**
   * servers are TURN servers, whose credentials are asked for anew before they end, with this client's
   * login at the broker if there is one.
   * @param {{user?: string, password?: string}} [login]
   */
  async servers({ user, password } = {}) {
    if (!this.#turn) return [];
    if (Date.now() < this.#until) return this.#servers;
    try {
      const { uris, username, password: secret, ttl } = await this.#json(this.#turn, user ? { Authorization: basic(user, password) } : undefined);
      this.#servers = [{ urls: uris.map(String), username: String(username), credential: String(secret) }];
      this.#until = Date.now() + Math.min(Number(ttl) || 0, 86400) * 500; // half of their life
    } catch {
      this.#servers = []; // most people need no relay, and who does is told that there is no way
    }
    return this.#servers;
  }
}

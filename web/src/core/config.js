// What the server beside the page says: config.json. Every member may be absent, and so may
// all of it: a page that is only files needs none.
import { readLabel } from '../../setup/label.js';
import { Problem } from '../../setup/problem.js';

/**
 * @typedef {object} Config
 * @property {{url: string, login?: string}} [broker] a broker's WebSocket address, for cards that name none; and an
 *   address that gives the user and password of a client that has none: login?client=<name> answers {user, password}
 * @property {{pair: string, label: string}} [demo] a camera at hand: address of its pairing transport, and its label
 * @property {string} [turn] address that gives credentials for a TURN server
 */

const bad = (what) => new Problem('config', `The server of this page gave settings that can't be used: ${what}. Tell whoever runs it.`);

/** @returns {Promise<Config>} */
export async function readConfig(get = fetch) {
  let answer;
  try {
    answer = await get(new URL('config.json', document.baseURI), { cache: 'no-store' });
  } catch {
    return {}; // offline: cameras say so themselves
  }
  const isJSON = answer.headers.get('Content-Type')?.includes('json');
  if (!answer.ok || !isJSON) return {};
  try {
    return check(await answer.json());
  } catch (cause) {
    throw cause instanceof Problem ? cause : bad('they are no JSON');
  }
}

function check({ broker, demo, turn }) {
  const out = {};
  if (broker !== undefined) {
    out.broker = { url: webSocket(broker.url) };
    if (broker.login !== undefined) out.broker.login = beside(broker.login, 'http');
  }
  if (demo !== undefined) {
    readLabel(demo.label);
    out.demo = { pair: beside(demo.pair, 'ws'), label: demo.label };
  }
  if (turn !== undefined) out.turn = beside(turn, 'http');
  return out;
}

/** webSocket checks the address of a broker for browsers. Without TLS only this machine will do. */
export function webSocket(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw bad('a broker\'s address must begin with wss://');
  }
  const here = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname) || url.hostname.endsWith('.localhost'); // RFC 6761 6.3
  if (url.protocol !== 'wss:' && !(url.protocol === 'ws:' && here) || url.username || url.password || url.hash) {
    throw bad('a broker\'s address must begin with wss://, and name no user');
  }
  return url.href;
}

// beside is the address of something that the page's own server gives.
function beside(path, scheme) {
  const url = new URL(path, document.baseURI);
  if (typeof path !== 'string' || url.origin !== new URL(document.baseURI).origin) throw bad('they name another server');
  return scheme === 'ws' ? url.href.replace(/^http/, 'ws') : url.href;
}

// Pairing with a camera: docs/protocol.md 3.5 to 3.11, over whatever carries its messages.
import { base64, fromBase64, fromBase64url, json, spkiOf } from './bytes.js';
import { handshake } from './noise.js';
import { identityKey, opened, peek, verifyingKey } from './jose.js';
import { expect, line, Problem, problem, ssidText } from './problem.js';
import { check, wire } from './settings.js';

const maxChain = 4, maxNetworks = 32;

// pair lets keys in at the camera of label, which has its device. conn sends and receives
// whole messages. talk, an async function, is given the conversation, and returns once set
// has; without it the camera stays as it is. What pair returns is the camera's card: what a
// client keeps of it.
export async function pair(conn, label, keys, talk = (t) => t.set({})) {
  const channel = await handshake(conn, await label.derive('camd/pair/psk/1'));
  const t = new Talk(channel);
  const camera = await expect('protocol', async () => readHello((await t.read('device')).jws, 'camd-pair-dev+jwt', channel.h, label));
  await t.write({ t: 'client', jws: await keys.sign('camd-pair-cli+jwt', { h: channel.h, ...keys.claims }), card: await keys.card() });
  t.owned = camera.owned;
  await talk(t);
  if (!t.receipt) throw problem('ended');
  return { ...camera, ...await readReceipt(t.receipt, channel.h, camera, keys.name) };
}

// Talk is the conversation between a client's keys and its receipt.
class Talk {
  #channel;
  #last = Promise.resolve();

  constructor(channel) { this.#channel = channel; }

  write(message) { return this.#channel.send(JSON.stringify(message)); }

  // read takes the next message, which is of one of these kinds.
  async read(...kinds) {
    const bytes = await this.#channel.receive();
    const message = await expect('protocol', () => json(bytes));
    if (!kinds.includes(message.t)) throw problem('protocol');
    if (message.t === 'problem' || message.t === 'refusal') throw refused(message);
    return message;
  }

  // state asks how much of the camera is set up.
  async state() { return (await this.#ask('state')).state ?? {}; }

  // networks asks which Wi-Fi networks it hears. name is their ssid, fit to be shown.
  async networks() {
    const { networks = [] } = await this.#ask('networks');
    return expect('protocol', () => {
      if (networks.length > maxNetworks) throw problem('protocol');
      return networks.map((n) => {
        const ssid = fromBase64url(n.ssid);
        return { ssid, name: ssidText(ssid), security: line(n.security), signal: Number(n.signal), band: line(n.band) };
      });
    });
  }

  // request asks what is to be signed for the camera's certificate: PKCS #10 in DER.
  async request() {
    const { request, subject } = await this.#ask('request');
    return { request: await expect('protocol', () => fromBase64(request)), subject };
  }

  #ask(what) {
    return this.#inTurn(async () => {
      await this.write({ t: 'ask', ask: { do: what } });
      const { reply } = await this.read('reply', 'problem', 'refusal');
      if (!reply) throw problem('protocol');
      return reply;
    });
  }

  // set has the camera try settings, keep them and let the client in. After a Problem that
  // goesOn nothing was kept, and others can be set. progress is told each step.
  set(settings, progress = () => {}) {
    return this.#inTurn(async () => {
      check(settings);
      await this.write({ t: 'settings', settings: wire(settings) });
      for (;;) {
        const message = await this.read('progress', 'problem', 'receipt', 'refusal');
        if (message.t === 'receipt') {
          this.receipt = message.jws;
          return;
        }
        if (!isCode(message.step)) throw problem('protocol');
        progress(message.step);
      }
    });
  }

  // inTurn keeps a page that asks twice at once from mixing the answers up.
  #inTurn(work) {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

const isCode = (text) => /^[a-z_]{1,40}$/.test(text);

function refused({ t, code, sentence }) {
  if (!isCode(code) || code === 'ok') return problem('protocol');
  return new Problem(code, line(sentence || `The camera says: ${code}.`), { goesOn: t === 'problem' });
}

// readHello is 3.6: the identity key first.
export async function readHello(jws, typ, h, label) {
  const claims = await expect('tampered', () => peek(jws, typ));
  const chain = claims.x5c ?? [];
  if (chain.length === 0 || chain.length > maxChain) throw problem('protocol');
  const spki = await expect('protocol', () => spkiOf(fromBase64(chain[0])));
  if (!await label.matches(spki)) throw problem('identity');
  const identity = await expect('identity', () => identityKey(spki));
  return expect('tampered', async () => {
    const said = await opened(jws, typ, identity);
    const trio = await opened(said.trio, 'camd-trio+jwt', identity);
    if (said.h !== h || said.deviceId !== label.device || trio.deviceId !== label.device || said.ep !== trio.ep) throw problem('tampered');
    return { device: label.device, identity: base64(spki), trio: said.trio, epoch: trio.ep, owned: said.owned === true };
  });
}

// readReceipt is 3.8.
export function readReceipt(jws, h, camera, client) {
  return expect('tampered', async () => {
    const { hhSig } = peek(camera.trio, 'camd-trio+jwt'); // readHello has verified it
    const receipt = await opened(jws, 'camd-pair-rcpt+jwt', await verifyingKey(hhSig));
    if (receipt.h !== h || receipt.deviceId !== camera.device || receipt.ep !== camera.epoch || receipt.client !== client) throw problem('tampered');
    return { member: line(receipt.name), role: line(receipt.role), broker: receipt.broker };
  });
}

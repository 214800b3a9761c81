// What the page says where the browser may keep it from the network around it.
import './globals.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { Broker } from '../src/core/broker.js';
import { localNetworkHint } from '../src/core/localnetwork.js';

// browser has permissions of these names; without any it is one that has none.
function browser(t, states) {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  const query = async ({ name }) => {
    if (!Object.hasOwn(states, name)) throw new TypeError(`no permission ${name}`);
    return { state: states[name] };
  };
  Object.defineProperty(globalThis, 'navigator', { value: states && { permissions: { query } }, configurable: true });
  t.after(() => { if (before) Object.defineProperty(globalThis, 'navigator', before); else delete globalThis.navigator; });
}

const asks = /If the browser asks whether this page may reach devices in your network, allow it\.$/;
const keeps = /The browser keeps this page from devices in your network: allow it in the browser's settings for this page\.$/;

test('the hint goes by what the browser lets the page do', async (t) => {
  for (const [states, want] of [
    [undefined, /^$/], [{}, /^$/], [{ 'local-network': 'granted' }, /^$/], [{ 'local-network': 'granted', 'local-network-access': 'denied' }, /^$/],
    [{ 'local-network': 'prompt' }, asks], [{ 'local-network-access': 'prompt' }, asks], [{ 'local-network': 'denied' }, keeps],
  ]) {
    browser(t, states);
    assert.match(await localNetworkHint(), want, JSON.stringify(states));
  }
});

test('a broker that is not reached may be one that the browser keeps the page from', async (t) => {
  browser(t, { 'local-network': 'denied' });
  const dial = () => {
    const socket = { close: () => {} };
    queueMicrotask(() => socket.onclose());
    return socket;
  };
  const broker = new Broker(async () => ({ url: 'wss://broker.home.example' }), { device: 'd', client: 'c', dial });
  t.after(() => broker.close());
  await broker.begun;
  assert.equal(broker.state, 'lost');
  assert.match(broker.sentence, /^The broker broker\.home\.example can't be reached\./);
  assert.match(broker.sentence, keeps);
});

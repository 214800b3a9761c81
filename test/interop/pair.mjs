// Pairing over the local socket: docs/protocol.md 3 and 10. The handshake is the page's
// module, which was written from the document, too.
import { createPublicKey, webcrypto } from 'node:crypto';
import { connect } from 'node:net';
import { Keys } from '../../web/setup/jose.js';
import { readLabel } from '../../web/setup/label.js';
import { pair as pairOver } from '../../web/setup/pairing.js';
import { canonical } from './wire.mjs';

globalThis.crypto ??= webcrypto; // Node 18 has it behind a flag

// local sends one command to camd's socket.
export async function local(path, command) {
  const socket = connect(path);
  const bytes = reader(socket);
  socket.write(`${JSON.stringify(command)}\n`);
  const answer = JSON.parse(await bytes.line());
  if (!answer.ok) throw new Error(answer.error);
  return { answer, socket, bytes };
}

// reader takes bytes and lines out of a stream.
function reader(stream) {
  const chunks = stream[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  const fill = async () => {
    const { value, done } = await chunks.next();
    if (done) throw new Error('camd hung up');
    held = Buffer.concat([held, value]);
  };
  const take = async (n) => {
    while (held.length < n) await fill();
    const out = held.subarray(0, n);
    held = held.subarray(n);
    return out;
  };
  return {
    take,
    line: async () => {
      while (!held.includes(10)) await fill();
      return (await take(held.indexOf(10) + 1)).toString();
    },
  };
}

// framed is 3.4.2.
const framed = (socket, bytes) => ({
  send: (message) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(message.length);
    socket.write(Buffer.concat([head, message]));
  },
  receive: async () => {
    const n = (await bytes.take(4)).readUInt32BE();
    if (n === 0 || n > 16384) throw new Error(`a message of ${n} bytes`);
    return bytes.take(n);
  },
});

// pair returns what a client keeps of a camera.
export async function pair(path, text, keys) {
  const { socket, bytes } = await local(path, { cmd: 'join' });
  try {
    const camera = await pairOver(framed(socket, bytes), readLabel(text), await webKeys(keys));
    const identity = createPublicKey({ key: Buffer.from(camera.identity, 'base64'), format: 'der', type: 'spki' });
    const { owned, trio: signedTrio, role, member: name, broker } = camera;
    return { owned, identity, signedTrio, trio: JSON.parse(canonical(signedTrio.split('.')[1])), receipt: { role, name, broker } };
  } finally {
    socket.destroy();
  }
}

// webKeys are a client's as a browser has them.
async function webKeys(keys) {
  const pairOf = async (key, name, uses) => {
    const jwk = key.export({ format: 'jwk' });
    const take = (d, u) => crypto.subtle.importKey('jwk', { ...jwk, d }, { name, namedCurve: 'P-256' }, !d, u);
    return { privateKey: await take(jwk.d, uses), publicKey: await take(undefined, []) };
  };
  return Keys.of(await pairOf(keys.sig, 'ECDSA', ['sign']), await pairOf(keys.enc, 'ECDH', ['deriveBits']));
}

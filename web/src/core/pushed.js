// What a camera sent through a push service: a notice (docs/protocol.md 16.3), as by the broker. The
// service worker has it, which has no page and no connection, and believes it as little.
import { fromBase64 } from '../../setup/bytes.js';
import { header, identityKey, opened, peek, unsealed, verifyingKey } from '../../setup/jose.js';
import { ofMilliseconds } from './dates.js';
import { readEntry } from './entries.js';
import { tell } from './history.js';
import { keepKeys } from './keys.js';
import { nameOf } from './name.js';

const typ = 'camd-note+jwt';

/**
 * pushed verifies a notice by what this browser keeps of its cameras. It throws if no camera of
 * this browser's has sent it.
 * @param {string} text
 * @param {import('./store.js').Store} store
 * @returns {Promise<{device: string, n: number, camera: string, kind: string, sentence: string, time?: Date}>} time: a push service can show an old one again
 */
export async function pushed(text, store) {
  const keys = await keepKeys(store);
  const jws = await unsealed(text.trim(), keys);
  if (header(jws).typ !== typ) throw new Error('not a notice');
  const { iss } = peek(jws, typ);
  const record = typeof iss === 'string' && await store.get(`camera/${iss}`);
  if (!record) throw new Error('of a camera that this browser does not know');
  const trio = await opened(record.trio, 'camd-trio+jwt', await identityKey(fromBase64(record.identity)));
  const { aud, ep, n = 0, entry } = await opened(jws, typ, await verifyingKey(trio.hhSig));
  const e = readEntry(entry);
  if (trio.deviceId !== iss || aud !== keys.name || ep !== trio.ep || e.ep !== ep || !Number.isSafeInteger(n)) throw new Error('for someone else');
  return { device: iss, n, camera: nameOf(record), kind: e.k, sentence: tell(e), time: ofMilliseconds(e.t) };
}

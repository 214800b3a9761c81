// Pictures that a camera keeps for a while: docs/protocol.md 9. Nothing is taken that was not asked for.
import { fromBase64 } from '../../setup/bytes.js';
import { token } from './broker.js';
import { failure } from './refusal.js';

const largest = 524288, part = 4096, atOnce = 4;
const kinds = ['image/jpeg', 'video/mp4'];

/** snapshot has the camera take a picture. Every member is told. */
export async function snapshot(peer) {
  const sid = token();
  const { body } = await peer.call('snapshot', undefined, { sid });
  return fetchPicture(peer, { snapshot: sid }, body);
}

/** fetchPicture gets a picture part by part: docs/protocol.md 9.4. */
export async function fetchPicture(peer, which, { kind, size }) {
  if (!kinds.includes(kind) || !Number.isSafeInteger(size) || size <= 0 || size > largest) throw failure('garbled');
  const bytes = new Uint8Array(size);
  let next = 0;
  const some = async () => {
    while (next < size) {
      const offset = next;
      next += part;
      bytes.set(await fetchPart(peer, which, { kind, size, offset }), offset);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, some));
  return new Blob([bytes], { type: kind });
}

async function fetchPart(peer, which, { kind, size, offset }) {
  const { body: { part: got } } = await peer.call('events', { ...which, offset });
  let data;
  try {
    data = fromBase64(got.data);
  } catch (cause) {
    throw failure('garbled', cause);
  }
  if (got.kind !== kind || got.size !== size || (got.offset ?? 0) !== offset || data.length !== Math.min(part, size - offset)) throw failure('garbled');
  return data;
}

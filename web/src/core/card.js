// Camera cards: docs/protocol.md 2.8. A card is worth as much as its signer, whose six words a
// person compares.
import { base64, fromBase64, fromBase64url, json } from '../../setup/bytes.js';
import { header, identityKey, opened, sealed, thumbprint, unsealed, verifyingKey } from '../../setup/jose.js';
import { line, Problem } from '../../setup/problem.js';
import { readKeyCard } from './keys.js';

const longest = 16384;

const refuse = (sentence, cause) => new Problem('card', sentence, { cause });

/**
 * readCard opens a card that was made for keys, and verifies all that can be verified.
 * @returns {Promise<{record: object, signer: string, words: string, by: string}>}
 */
export async function readCard(text, keys) {
  const jwe = text.replaceAll(/\s/g, '');
  if (jwe.length > longest || jwe.split('.').length !== 5) {
    throw refuse(text.trim().startsWith('CAMD-KEY:') ? 'This is a key, not a camera card. The card is what the person who adds you gives back for it.'
      : 'This is not a camera card. Copy all of it, or open the link that you got.');
  }
  let jws;
  try {
    jws = await unsealed(jwe, keys);
  } catch (cause) {
    throw refuse('This camera card is not for this browser\'s key, or it was changed on the way. Ask for one that is made for the key that this page shows.', cause);
  }
  try {
    return await verified(jws, keys);
  } catch (cause) {
    throw refuse('This camera card contradicts itself. Ask for a new one.', cause);
  }
}

async function verified(jws, keys) {
  const { kid } = header(jws);
  const { key } = json(new TextDecoder().decode(fromBase64url(jws.split('.')[1])));
  const signer = await readKeyCard(key);
  if (signer.name !== kid) throw new Error('signed by someone else');
  const card = await opened(jws, 'camd-card+jwt', await verifyingKey(signer.sigJwk), kid);
  if (card.aud !== await thumbprint(keys.claims.encJwk)) throw new Error('for someone else');
  const identity = fromBase64(card.identity);
  const trio = await opened(card.trio, 'camd-trio+jwt', await identityKey(identity));
  if (!Number.isSafeInteger(card.ep) || card.ep < 1) throw new Error('of no epoch');
  if (!/^[a-z2-7]{26}$/.test(card.deviceId) || trio.deviceId !== card.deviceId || trio.ep !== card.ep) throw new Error('of another camera');
  const record = {
    device: card.deviceId, identity: base64(identity), trio: card.trio, epoch: card.ep, name: line(card.camera ?? ''),
    member: line(card.member ?? ''), role: line(card.role ?? ''), broker: readBroker(card.broker),
  };
  return { record, signer: signer.name, words: signer.words, by: line(card.by ?? '') };
}

// readBroker takes what a browser can use, and what it passes on to others.
export function readBroker({ url, ca = '', serverName = '', web = '', user = '', password = '' } = {}) {
  const all = { url, ca, serverName, web, user, password };
  for (const value of Object.values(all)) if (typeof value !== 'string') throw new Error('a broker that is none');
  return all;
}

/**
 * makeCard makes the card by which who holds a key reaches a camera.
 * @param {object} record what this client keeps of the camera
 * @param {{encJwk: object, name: string, role: string, camera: string, login: {user?: string, password?: string}}} to
 */
export async function makeCard(record, keys, { encJwk, name, role, camera, login }) {
  const { url, ca, serverName, web } = record.broker;
  const broker = { url, ca: ca || undefined, serverName: serverName || undefined, web: record.web || web || undefined, ...login };
  const claims = {
    aud: await thumbprint(encJwk), key: await keys.card(), by: record.member, deviceId: record.device, ep: record.epoch,
    camera: camera || undefined, identity: record.identity, trio: record.trio, member: name, role, broker,
  };
  try {
    return await sealed(await keys.sign('camd-card+jwt', claims), encJwk);
  } catch (cause) {
    throw refuse('The camera card is too large. Ask whoever runs the broker for a shorter certificate authority.', cause);
  }
}

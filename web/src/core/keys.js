// A client's keys as people pass them on and compare them: docs/protocol.md 2.2, 2.3, 2.9.
import { fromBase64url, json } from '../../setup/bytes.js';
import { Keys, opened, thumbprint, verifyingKey } from '../../setup/jose.js';
import { Problem } from '../../setup/problem.js';
import { wordlist } from './wordlist.js';

const mark = 'CAMD-KEY:', version = '1?';
const wordCount = 6, wordBits = 11, longest = 16384;

// words returns the six words of a client's name, which people compare aloud.
export function words(name) {
  const bits = Array.from(fromBase64url(name), (b) => b.toString(2).padStart(8, '0')).join('');
  return Array.from({ length: wordCount }, (_, i) => wordlist[parseInt(bits.slice(i * wordBits, (i + 1) * wordBits), 2)]).join(' ');
}

// keepKeys returns this browser's keys, and makes them at the first time.
export async function keepKeys(store) {
  const kept = await store.get('keys');
  if (kept) return Keys.of(kept.sig, kept.enc);
  const made = await Keys.make();
  const { sig, enc } = await store.update('keys', (other) => other ?? { sig: made.sig, enc: made.enc }); // another page may have made some meanwhile
  return Keys.of(sig, enc);
}

// keyText is what a new member passes on: a key is no secret, and no right.
export const keyText = async (keys) => mark + version + await keys.card();

const refuse = (sentence, cause) => new Problem('key', sentence, { cause });

// readKey reads the text of a key, and verifies that its maker holds it. Only a comparison
// of the words shows whose it is.
export async function readKey(text) {
  if (text.length > longest) throw refuse(`This is too long for a key. A key begins with ${mark}${version}.`);
  const whole = text.replaceAll(/\s/g, '');
  if (!whole.startsWith(mark)) throw refuse(`${instead(text)} A key begins with ${mark}${version}; copy all of it from the page or program of the person who is to get access.`);
  if (!whole.startsWith(version, mark.length)) throw refuse('This key is of a version that this page does not know. Update the page.');
  const card = whole.slice(mark.length + version.length);
  try {
    return { card, ...await readKeyCard(card) };
  } catch (cause) {
    throw refuse(`This key was cut short or changed on the way. Copy all of it, from ${mark}${version} to its end.`, cause);
  }
}

function instead(text) {
  const parts = text.trim().toLowerCase().split(/\s+/);
  if (parts[0] === '') return 'This is empty.';
  if (text.trim().startsWith('CAMD:')) return 'This is a camera\'s label, not a key.';
  if (parts.length === wordCount && parts.every((w) => wordlist.includes(w))) return 'These words only serve to compare a key.';
  return 'This is not a key.';
}

// readKeyCard is 2.3: the name is of the key that signed, and binds both.
export async function readKeyCard(card) {
  const { sigJwk, encJwk } = json(fromBase64url(String(card).split('.')[1]));
  const name = await thumbprint(sigJwk);
  await opened(card, 'camd-key+jwt', await verifyingKey(sigJwk), name);
  await verifyingKey(encJwk); // it is a key at all
  if (await thumbprint(encJwk) === name) throw new Error('one key in both places');
  return { name, words: words(name), sigJwk, encJwk };
}

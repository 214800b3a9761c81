// The label of a camera: docs/protocol.md 3.1 and 3.2.
import { alphabet, base32, fromBase32, fromBase64url, same, sha256 } from './bytes.js';
import { line, problem, Problem } from './problem.js';

const prefix = 'CAMD:1?', secretLength = 26, typedKeyLength = 12;

const wrong = (what) => new Problem('label', `This is not a usable camera label: ${what}.`);

// Label is a label that was read. A typed one knows its device once the transport tells it.
export class Label {
  #secret;
  #key;   // SHA-256 of the identity key's SubjectPublicKeyInfo; absent when typed
  #typed; // its first characters in base32, when typed

  constructor(device, secret, key, typed) {
    this.device = device;
    this.#secret = secret;
    this.#key = key;
    this.#typed = typed;
  }

  // of is the label for the device that the transport has found.
  of(device) {
    if (!isDevice(device)) throw problem('unknown');
    if (this.device && this.device !== device) throw problem('other');
    return new Label(device, this.#secret, this.#key, this.#typed);
  }

  // derive is 3.3 and 3.12.1.
  async derive(info) {
    const key = await crypto.subtle.importKey('raw', this.#secret, 'HKDF', false, ['deriveBits']);
    const salt = await sha256(new TextEncoder().encode(this.device));
    return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info: new TextEncoder().encode(info) }, key, 256));
  }

  // matches reports whether the identity key with this SPKI is the label's.
  async matches(spki) {
    const digest = await sha256(spki);
    return this.#key ? same(this.#key, digest) : base32(digest).startsWith(this.#typed);
  }
}

const isDevice = (text) => /^[a-z2-7]{26}$/.test(text);

// readLabel reads the content of a label's QR code.
export function readLabel(text) {
  const whole = text.trim();
  if (!whole.startsWith(prefix)) {
    throw wrong(whole.startsWith('CAMD:') ? 'it is of a version that this program does not know; update the program' : `it must begin with ${prefix}`);
  }
  const parts = whole.slice(prefix.length).split('&');
  if (parts.length !== 3) throw wrong('it needs the three parts d, s and k');
  const [device, secret, key] = ['d=', 's=', 'k='].map((name, i) => {
    if (!parts[i].startsWith(name)) throw wrong(`part ${i + 1} must begin with "${name}"`);
    return parts[i].slice(name.length);
  });
  if (!isDevice(device)) throw wrong('the device id (d) must be 26 characters a-z and 2-7');
  return new Label(device, readSecret(secret), readKey(key));
}

// readTyped reads what a person typed from below the QR code.
export function readTyped(text) {
  const all = text.trim().replaceAll(/[ \t-]/g, '').toLowerCase();
  for (const c of all) {
    if (!alphabet.includes(c)) throw wrong(`'${line(c)}' is never on a label; it has the letters a-z and the digits 2-7`);
  }
  const length = secretLength + typedKeyLength;
  if (all.length !== length) throw wrong(`${all.length} characters were typed, the label has ${length}`);
  return new Label('', readSecret(all.slice(0, secretLength)), undefined, all.slice(secretLength));
}

// anyLabel reads a label that was scanned, or typed.
export const anyLabel = (text) => (text.includes(':') ? readLabel(text) : readTyped(text));

function readSecret(text) {
  let secret;
  try {
    secret = fromBase32(text);
  } catch { /* as of another length */ }
  if (secret?.length !== 16) throw wrong('the secret (s) must be 26 characters a-z and 2-7');
  if (secret.every((b) => b === 0)) throw wrong('the secret (s) is empty');
  return secret;
}

function readKey(text) {
  let key;
  try {
    key = fromBase64url(text);
  } catch { /* as of another length */ }
  if (key?.length !== 32) throw wrong('the key digest (k) must be 43 characters of base64url');
  return key;
}

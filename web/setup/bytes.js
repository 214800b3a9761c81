// Bytes, the texts that stand for them, and JSON: docs/protocol.md 1.5 and 2.6.

export const utf8 = (text) => new TextEncoder().encode(text);

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export const same = (a, b) => a.length === b.length && a.every((v, i) => v === b[i]);

export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', concat(...parts)));

export const base64 = (bytes) => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''));

export const base64url = (bytes) => base64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

// fromBase64 takes the one form that bytes have: its padding, and spare bits that are zero.
export function fromBase64(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  if (base64(bytes) !== text) throw new Error('not base64');
  return bytes;
}

export function fromBase64url(text) {
  if (typeof text !== 'string' || !/^[A-Za-z0-9_-]*$/.test(text)) throw new Error('not base64url');
  const plain = text.replaceAll('-', '+').replaceAll('_', '/');
  return fromBase64(plain + '='.repeat(-plain.length & 3));
}

export const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

// base32 is RFC 4648 section 6 in lower case, without padding.
export function base32(bytes) {
  let out = '', bits = 0, held = 0;
  for (const b of bytes) {
    held = (held << 8 | b) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) out += alphabet[held >> bits - 5 & 31];
  }
  return bits > 0 ? out + alphabet[held << 5 - bits & 31] : out;
}

export function fromBase32(text) {
  const out = [];
  let bits = 0, held = 0;
  for (const c of text) {
    held = (held << 5 | alphabet.indexOf(c)) & 0xfff;
    bits += 5;
    if (bits >= 8) out.push(held >> (bits -= 8) & 255);
  }
  const bytes = Uint8Array.from(out);
  if (base32(bytes) !== text) throw new Error('not base32');
  return bytes;
}

const deepest = 32;

// json reads an object that a peer sent, in bytes or text.
export function json(from) {
  const text = typeof from === 'string' ? from : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(from);
  const value = JSON.parse(text);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('not an object');
  const open = []; // of each object the names that it has so far, of each array nothing
  for (const [token, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs)) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : null);
    else if (token === '}' || token === ']') open.pop();
    else if (colon) {
      const name = JSON.parse(token.slice(0, -colon.length)).toLowerCase();
      if (open.at(-1).has(name)) throw new Error('a name stands twice in an object');
      open.at(-1).add(name);
    }
    if (open.length > deepest) throw new Error('nested too deep');
  }
  return value;
}

// spkiOf takes the SubjectPublicKeyInfo out of a certificate (RFC 5280 section 4.1).
export function spkiOf(certificate) {
  const [outer] = elements(certificate);
  const [inner] = elements(outer.content);
  const fields = elements(inner.content);
  const spki = fields[fields[0].tag === 0xa0 ? 6 : 5]; // behind the version, which may be absent
  if (outer.tag !== 0x30 || inner.tag !== 0x30 || spki?.tag !== 0x30) throw new Error('not a certificate');
  return spki.whole;
}

// elements lists what is in DER, one level of it.
function elements(der) {
  const out = [];
  for (let at = 0; at < der.length;) {
    let start = at + 2, length = der[at + 1];
    if (length > 0x80) {
      start += length & 0x7f;
      length = der.subarray(at + 2, start).reduce((n, b) => n * 256 + b, 0);
    }
    const end = start + length;
    if (!(end <= der.length)) throw new Error('DER ends early');
    out.push({ tag: der[at], content: der.subarray(start, end), whole: der.subarray(at, end) });
    at = end;
  }
  return out;
}

// certificateIn reads the one certificate in a text in PEM form.
export function certificateIn(pem) {
  const all = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)];
  if (all.length !== 1) throw new Error(`${all.length} certificates`);
  return fromBase64(all[0][1].replaceAll(/\s/g, ''));
}

// The code that a camera reads with its lens, and its answer: docs/protocol.md 3.12, 3.13.
import { base32, base64url, certificateIn, concat, fromBase64url, sha256, utf8 } from './bytes.js';
import { peek, unsealed } from './jose.js';
import { readHello, readReceipt } from './pairing.js';
import { expect, Problem } from './problem.js';
import { check, ssidBytes } from './settings.js';

const prefix = 'CAMDC1:', partSize = 65, maxParts = 32, checkSize = 5;
const maxText = 255, maxCertificate = 1024, maxChain = 3;

const unfit = (what) => new Problem('bad_request', `What the camera has to know does not fit into a code: ${what}.`);

// makeCode makes the code by which the camera of label, which has its device, lets keys in
// and sets itself up. settings are as in settings.js, without chain; instead of est there may
// be login: { chain: [DER, …], key: the leaf's private scalar }, a certificate that was made
// for the camera for a day. It returns the parts to draw, and the code's name, by which the
// camera answers.
export async function makeCode(label, keys, settings = {}) {
  check({ ...settings, chain: [] });
  return seal(label, await body(keys, settings), crypto.getRandomValues(new Uint8Array(12)));
}

// seal is 3.12.2.
export async function seal(label, plain, nonce) {
  const key = await crypto.subtle.importKey('raw', await label.derive('camd/pair/code/1'), 'AES-GCM', false, ['encrypt']);
  const aad = utf8(`camd-code-v1${label.device}`);
  const sealed = concat(nonce, new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce, additionalData: aad }, key, plain)));
  if (sealed.length > partSize * maxParts) throw unfit(`it would have ${sealed.length} bytes, and ${partSize * maxParts} fit`);
  const digest = await sha256(sealed);
  return { name: base64url(digest), parts: parts(sealed, digest) };
}

// parts is 3.12.4.
function parts(sealed, digest) {
  const count = Math.ceil(sealed.length / partSize);
  const number = (n) => base32([n << 3])[0];
  return Array.from({ length: count }, (_, i) => {
    const piece = sealed.subarray(i * partSize, (i + 1) * partSize);
    return prefix + (number(i) + number(count - 1) + base32(digest.subarray(0, checkSize)) + base32(piece)).toUpperCase();
  });
}

// body is 3.12.3.
async function body(keys, { wifi, broker, est, login }) {
  if (est && login) throw unfit('there are two ways to a certificate');
  const proof = fromBase64url((await keys.card()).split('.')[2]);
  return cbor(map(compress(keys.claims.sigJwk), compress(keys.claims.encJwk), proof,
    broker && map(text(broker.url), text(broker.viewerUrl), text(broker.serverName), authority(broker.ca)),
    wifi && map(ssidBytes(wifi.ssid), text(wifi.password), wifi.hidden, wifi.openOk),
    est && map(text(est.url), text(est.user), text(est.password)),
    login && map(chain(login.chain), scalar(login.key))));
}

// map has the names 1, 2, … for what is there; what is empty or false is not.
const map = (...values) => new Map(values.map((v, i) => [i + 1, v]).filter(([, v]) => v && v.length !== 0));

const compress = ({ x, y }) => concat([2 | fromBase64url(y)[31] & 1], fromBase64url(x));

function text(t = '') {
  if (utf8(t).length > maxText || /[\0-\x1f\x7f]/.test(t)) throw unfit('a text has at most 255 bytes and no control characters');
  return t;
}

function certificate(der) {
  if (der.length === 0 || der.length > maxCertificate) throw unfit(`a certificate has at most ${maxCertificate} bytes`);
  return der;
}

function authority(pem) {
  if (!pem) return undefined;
  try {
    return certificate(certificateIn(pem));
  } catch (error) {
    throw error instanceof Problem ? error : unfit('the authority of the broker must be one certificate in PEM form');
  }
}

function chain(all) {
  if (all.length === 0 || all.length > maxChain) throw unfit(`a login has one to ${maxChain} certificates`);
  return all.map(certificate);
}

function scalar(key) {
  if (key.length !== 32) throw unfit('a certificate fits a code only with its key, on P-256');
  return key;
}

// cbor writes RFC 8949 section 4.2.1, of which a body needs this much.
function cbor(value) {
  if (value === true) return Uint8Array.of(0xf5);
  if (typeof value === 'number') return head(0, value);
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  if (typeof value === 'string') return concat(head(3, utf8(value).length), utf8(value));
  if (Array.isArray(value)) return concat(head(4, value.length), ...value.map(cbor));
  return concat(head(5, value.size), ...[...value].flat().map(cbor));
}

function head(major, n) {
  if (n < 24) return Uint8Array.of(major << 5 | n);
  return n < 256 ? Uint8Array.of(major << 5 | 24, n) : Uint8Array.of(major << 5 | 25, n >> 8, n);
}

const type = 'camd-code+jwt';

// readAnswer reads what came on the client's out topic, a text. It returns the camera's card
// if the camera of label has taken the code of this name, and nothing if the message is about
// something else. A Problem is of a message that names the code and is not that camera's, as
// far as can be seen: whoever has seen the code can make one, so the page waits on, and shows
// the sentence if nothing better comes.
export async function readAnswer(message, label, keys, name) {
  let jws, claims;
  try {
    jws = await unsealed(message, keys);
    claims = peek(jws, type);
  } catch {
    return undefined;
  }
  if (claims.h !== name) return undefined;
  const camera = await readHello(jws, type, name, label);
  const receipt = await expect('tampered', () => readReceipt(claims.receipt, name, camera, keys.name));
  return { ...camera, ...receipt };
}

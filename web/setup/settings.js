// What a camera is told: docs/protocol.md 3.11. Every member may be absent, and what is
// absent stays as it is there.
//
//   wifi: { ssid, password, security, hidden, openOk }   ssid: text or bytes
//   broker: { url, viewerUrl, webUrl, serverName, ca }   ca: PEM
//   chain: [DER, …]                                      the answer to what request() gave
//   est: { url, user, password }
import { base64, base64url, utf8 } from './bytes.js';
import { Problem } from './problem.js';

const refuse = (code, sentence) => new Problem(code, sentence, { goesOn: true });

const unusable = (what) => refuse('bad_request', `The camera can't use these settings: ${what}.`);

export const ssidBytes = (ssid) => (typeof ssid === 'string' ? utf8(ssid) : ssid);

const size = (text = '') => utf8(text).length;

// check refuses what can't be meant, before anything is tried.
export function check({ wifi, broker, chain = [], est }) {
  if (chain.length > 4) throw unusable('at most 4 certificates are taken');
  if (wifi) checkWiFi(wifi);
  if (broker) checkBroker(broker);
  if (est && (!isAddress(est.url, 'https') || size(est.user) > 128 || size(est.password) > 128)) {
    throw unusable('the enrolment server\'s address must begin with https://, and user and password have at most 128 bytes');
  }
  if (chain.some((der) => der.length === 0 || der.length > 3072)) throw unusable('a certificate has at most 3072 bytes');
}

function checkWiFi({ ssid, password = '', security = '' }) {
  const { length } = ssidBytes(ssid);
  if (length === 0 || length > 32) throw unusable('the name of a Wi-Fi network has 1 to 32 bytes');
  if (!['', 'open', 'wpa2', 'wpa2/wpa3', 'wpa3', 'other'].includes(security)) throw unusable('this camera knows no such kind of Wi-Fi');
  if (password === '' && (security === '' || security === 'open')) return;
  if (!/^([ -~]{8,63}|[0-9a-fA-F]{64})$/.test(password)) {
    throw refuse('wifi_password', 'A Wi-Fi password has 8 to 63 characters: English letters, digits, spaces and punctuation.');
  }
}

function checkBroker({ url, viewerUrl, webUrl, serverName, ca }) {
  if (!isAddress(url, 'mqtts') || viewerUrl && !isAddress(viewerUrl, 'mqtts')) throw unusable('the broker\'s address must be mqtts://host or mqtts://host:port');
  if (webUrl && (!isAddress(webUrl, 'wss') || webUrl.includes('#'))) throw unusable('the broker\'s address for browsers must be wss://host or wss://host:port/path');
  if (size(serverName) > 253 || size(ca) > 8192) throw unusable('the broker\'s name has at most 253 bytes, and its authority 8192');
}

// isAddress reports whether text names a host under a scheme, and no user.
function isAddress(text, scheme) {
  try {
    const { hostname, username, password } = new URL(text);
    return text.startsWith(`${scheme}://`) && size(text) <= 256 && hostname !== '' && username === '' && password === '';
  } catch {
    return false;
  }
}

// wire is what settings are in a conversation; without any, undefined.
export function wire({ wifi, broker, chain = [], est }) {
  const out = {};
  if (wifi) {
    out.wifi = {
      ssid: base64url(ssidBytes(wifi.ssid)), password: wifi.password || undefined, security: wifi.security || undefined,
      hidden: wifi.hidden || undefined, open_ok: wifi.openOk || undefined,
    };
  }
  if (broker) {
    out.broker = { url: broker.url, viewer_url: broker.viewerUrl || undefined, web_url: broker.webUrl || undefined, server_name: broker.serverName || undefined, ca: broker.ca || undefined };
  }
  if (chain.length > 0) out.chain = chain.map(base64);
  if (est) out.est = { url: est.url, user: est.user || undefined, password: est.password || undefined };
  return Object.keys(out).length > 0 ? out : undefined;
}

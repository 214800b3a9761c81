// What a camera says of the way to it: docs/protocol.md 7.1.3 and 7.3. A browser would send checks
// to any address that is named, and resolve names, also of what only this machine reaches.

const isCredential = (text, least) => text.length >= least && text.length <= 256 && /^[A-Za-z0-9+/]*$/.test(text);

function bytesOf(ipv4) {
  const parts = ipv4.split('.');
  return parts.length === 4 && parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && p < 256) ? parts.map(Number) : undefined;
}

// groupsOf returns the eight numbers of an IPv6 address.
function groupsOf(text) {
  if (!text.includes(':') || !URL.canParse(`http://[${text}]/`)) return undefined;
  const [head, tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::').map((s) => s.split(':').filter(Boolean).map((g) => parseInt(g, 16)));
  return tail ? [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail] : head;
}

// ipv4 reports whether four bytes may be the camera's. The last address of a network isn't known here.
function ipv4([a, b], here) {
  if (a === 127) return here;
  return a !== 0 && a < 224 && !(a === 169 && b === 254);
}

const split = (...groups) => groups.flatMap((g) => [g >> 8, g & 255]);

/**
 * mayBeCamera reports whether media, and the checks before it, may go to an address.
 * @param {string} address
 * @param {boolean} here the camera may be on this machine
 */
export function mayBeCamera(address, here) {
  const bytes = bytesOf(address);
  if (bytes) return ipv4(bytes, here);
  const g = groupsOf(address);
  if (!g) return false; // a name
  const from = (n) => g.slice(0, n).every((v) => v === 0);
  if (from(7) && g[7] === 1) return here;
  if (from(6) || from(5) && g[5] === 0xffff) return false; // unspecified, IPv4-compatible, IPv4-mapped
  if (g[0] >= 0xff00 || g[0] >= 0xfe80 && g[0] <= 0xfeff) return false; // multicast; link-local and site-local
  if (g[0] === 0x64 && g[1] === 0xff9b && g.slice(2, 6).every((v) => v === 0)) return ipv4(split(g[6], g[7]), false);
  if (g[0] === 0x2002) return ipv4(split(g[1], g[2]), false);
  return true;
}

/** usable reports whether a candidate (RFC 8839 section 5.1) is one that may be tried: UDP, to an address that may be the camera's. */
export function usable(candidate, here) {
  const [, , transport, , address] = candidate.split(' ');
  return transport?.toLowerCase() === 'udp' && mayBeCamera(address ?? '', here);
}

/**
 * readAnswer returns an SDP answer without the candidates that may not be tried. It throws if ICE's
 * credentials are none: this browser would send them, as they are, to any address that is named.
 * @param {string} sdp
 */
export function readAnswer(sdp, here) {
  return sdp.split(/(?<=\n)/).filter((line) => {
    const [, name, value] = /^a=([a-z-]+):(.*?)\r?\n?$/.exec(line) ?? [];
    if (name === 'ice-ufrag' && !isCredential(value, 4) || name === 'ice-pwd' && !isCredential(value, 22)) throw new Error('not credentials of ICE');
    return name !== 'candidate' || usable(value, here);
  }).join('');
}

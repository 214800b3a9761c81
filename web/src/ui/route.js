// Where the page is, in the fragment: nothing of it reaches a server.

/** screens of one camera, in the order of the navigation. */
export const tabs = ['live', 'people', 'history', 'settings'];

const screens = new Set([...tabs, 'invite', 'member', 'update']);

/**
 * parse reads a fragment. A camera card in it (#card=…) is for the screen `add`.
 * @returns {{screen: string, device?: string, argument?: string, card?: string}}
 */
export function parse(fragment) {
  const text = fragment.replace(/^#/, '');
  if (text.startsWith('card=')) return { screen: 'add', card: text.slice('card='.length) };
  const [first, ...rest] = text.split('/').slice(1).map(decoded);
  if (first === 'camera' && rest[0]) {
    const screen = screens.has(rest[1]) ? rest[1] : 'live';
    return { screen, device: rest[0], argument: rest[2] };
  }
  return { screen: ['cameras', 'add', 'setup', 'key'].includes(first) ? first : 'home' };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

/** to returns the fragment of a screen of a camera. */
export const to = (device, screen, argument) =>
  ['#', 'camera', device, screen, argument].filter((p) => p !== undefined).map((p, i) => (i === 0 ? p : encodeURIComponent(p))).join('/');

// Browsers may keep a page of a public address from the network around it until its person
// allows that: https://wicg.github.io/local-network-access/. Chromium asks; until it has an answer
// a WebSocket to such an address waits, and WebRTC leaves such addresses out.

const names = ['local-network', 'local-network-access']; // since Chromium 145, and before

const sentences = {
  denied: ' The browser keeps this page from devices in your network: allow it in the browser\'s settings for this page.',
  prompt: ' If the browser asks whether this page may reach devices in your network, allow it.',
};

/** localNetworkHint is a sentence, with a space before it, for what was not reached, or empty. */
export async function localNetworkHint() {
  for (const name of names) {
    try {
      const { state } = await navigator.permissions.query({ name });
      return sentences[state] ?? '';
    } catch {
      // This browser has no such permission.
    }
  }
  return '';
}

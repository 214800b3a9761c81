// What a person reads when something went wrong, and others' text, made fit to be read.

// Problem has one sentence that says what to do, as its message. Its code is the camera's
// (docs/protocol.md 5.2), or one of those below. goesOn: nothing was kept, and other settings
// can be given in the same conversation.
export class Problem extends Error {
  constructor(code, sentence, { goesOn = false, cause } = {}) {
    super(sentence, { cause });
    this.name = 'Problem';
    this.code = code;
    this.goesOn = goesOn;
  }
}

const sentences = {
  secret: 'The label\'s secret does not match this camera. Scan or type the label of the camera itself.',
  identity: 'The device that answered is not the camera on the label, and nothing was sent to it. Compare each character of the label, or scan it: if all are right, something stands between you and the camera.',
  tampered: 'The messages of the pairing were changed on the way. Nothing was paired; try again close to the camera.',
  protocol: 'The other side does not speak this version of pairing. Update camd or the app.',
  ended: 'The pairing ended before it was done. A character of the label may be wrong, or it is another camera\'s, or the pairing window has closed; open it and try again.',
  gone: 'The camera has gone: it is too far away, or its pairing window has closed. Open it again, and come closer.',
  taken: 'Somebody else is setting this camera up: wait until they are done.',
  slow: 'Nothing reached the camera for ten seconds: come closer to it, and try again.',
  garbled: 'What reached the camera was not what was sent: come closer to it, and try again.',
  unknown: 'This calls itself a camera, and is none that this page knows.',
  newer: 'The camera speaks a newer version of setting up: update the page.',
  other: 'This camera is open for pairing, and it is not the one of the label. Hold the pairing button of the right one.',
  unreachable: 'The camera was found, and can\'t be reached. Come closer to it, and try again.',
  unsupported: 'This browser has no Bluetooth for pages. Use Chrome or Edge, or show the camera a code.',
  old: 'This browser is too old to pair with a camera. Update it, or show the camera a code.',
  chosen: 'No camera was chosen. If none was shown, hold its pairing button for three seconds, switch Bluetooth on here, and come close to it.',
};

export const problem = (code, cause) => new Problem(code, sentences[code], { cause });

// expect has what a function refuses be a problem of this kind.
export async function expect(code, work) {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Problem ? error : problem(code, error);
  }
}

const longest = 1000;

// line makes others' text one line that can do nothing but be read: what does not show, or
// turns the order of what is read, is escaped as in JSON.
export function line(text) {
  const escape = (all) => [...Array(all.length).keys()].map((i) => `\\u${all.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
  const out = String(text).slice(0, longest + 1).replaceAll(/\p{C}|(?! )\p{Z}/gu, escape);
  return out.length > longest ? `${out.slice(0, longest)}…` : out;
}

// ssidText is the name of a network, which need not be text, fit to be shown.
export function ssidText(bytes) {
  try {
    return line(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return Array.from(bytes, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : `\\x${b.toString(16).padStart(2, '0')}`)).join('');
  }
}

const steps = {
  wifi: 'The camera is joining the Wi-Fi network.',
  address: 'The camera is waiting for an address in the network.',
  clock: 'The camera is checking the time.',
  internet: 'The camera is looking for a route to its broker.',
  broker: 'The camera is connecting to its broker.',
  certificate: 'The camera is getting its certificate.',
  saving: 'The camera is saving the settings.',
};

// stepSentence is what a person reads while a step lasts. docs/protocol.md 3.11.
export const stepSentence = (step) => (Object.hasOwn(steps, step) ? steps[step] : `The camera is working on it: ${line(step)}.`);

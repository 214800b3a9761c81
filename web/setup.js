// Setting up a camera from a browser: docs/protocol.md 3 and 14. A page only has to draw.
// Both ways need the camera's pairing window open, and return the camera's card, or throw a
// Problem, whose message is a sentence for people:
//
//   { device, identity, trio, epoch, owned, member, role, broker }
//
// identity is the DER SubjectPublicKeyInfo in base64, trio the signed text, owned whether the
// camera had an owner before, broker as in 2.8. All of it is verified against the label.
//
// Near the camera, in Chromium, while a click is handled:
//
//   const keys = await Keys.make(); // before, and kept in IndexedDB: sig and enc
//   const camera = await setUpNear({ label: 'CAMD:1?…', keys, show, settings, signal });
//
// By a code that is shown to the camera's lens, once the page is connected to the broker and
// subscribed to camd/v1/<device>/out/<keys.name>:
//
//   const label = codeLabel(text, device);
//   const code = await makeCode(label, keys, { wifi, broker, est });
//   showCode(canvas, code.parts, signal);
//   // for each message, a text, until it gives a card:
//   const camera = await readAnswer(message, label, keys, code.name);
import { choose, Link } from './setup/bluetooth.js';
import { anyLabel } from './setup/label.js';
import { pair } from './setup/pairing.js';
import { stepSentence } from './setup/problem.js';

export { Keys } from './setup/jose.js';
export { Problem } from './setup/problem.js';
export { makeCode, readAnswer } from './setup/code.js';
export { draw as drawPart, show as showCode } from './setup/qr.js';

// codeLabel reads a label, scanned or typed, for a code. Nothing can tell the device of a
// typed one, so the person gives it, too.
export function codeLabel(text, device) {
  const label = anyLabel(text);
  return label.of(device || label.device);
}

// setUpNear finds a camera that is near, and pairs keys with the one of label, a text that was
// scanned or typed. All but these two may be absent.
//
// show is told how far it is: { state, … } with state looking, connecting, pairing, choosing
// (settings was called), working (with step and sentence) and problem (with code and sentence;
// settings is called again).
//
// settings, an async function, is given the camera's conversation and the Problem that the
// last settings had, and returns what to set (setup/settings.js), such as { wifi, broker },
// or {}: only add me. By the conversation it can ask: camera.owned, await camera.state(),
// networks() and request(). What it throws ends it all. The camera waits while a person
// thinks, as long as its pairing window is open.
export async function setUpNear({ label: text, keys, show = () => {}, settings = async () => ({}), signal, bluetooth = navigator.bluetooth }) {
  const label = anyLabel(text);
  show({ state: 'looking' });
  const device = await choose(bluetooth);
  show({ state: 'connecting' });
  const link = await Link.connect(device, signal);
  try {
    const own = label.of(link.info.device);
    show({ state: 'pairing' });
    return await pair(link, own, keys, (talk) => converse(link, talk, show, settings));
  } finally {
    link.close();
  }
}

// converse sets until the camera is content.
async function converse(link, talk, show, settings) {
  for (let problem; ;) {
    show({ state: 'choosing' });
    const wanted = await link.awake(settings(talk, problem)) ?? {};
    try {
      return await talk.set(wanted, (step) => show({ state: 'working', step, sentence: stepSentence(step) }));
    } catch (error) {
      if (!error.goesOn) throw error;
      problem = error;
      show({ state: 'problem', code: problem.code, sentence: problem.message });
    }
  }
}

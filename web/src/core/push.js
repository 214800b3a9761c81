// Notices while the page is closed, through the browser's push service: docs/protocol.md 16. A browser keeps one subscription for
// each registration of a service worker, and each camera has a key of its own: so each camera
// has a registration of its own, below the page's.
import { Problem } from '../../setup/problem.js';
import { workerURL } from './worker.js';

const scopeOf = ({ device }) => new URL(`push/${device}/`, document.baseURI).href;

/** possible reports whether this browser can be pushed to. */
export const possible = () => 'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis;

const registered = async (camera) => {
  const r = await navigator.serviceWorker.getRegistration(scopeOf(camera));
  return r?.scope === scopeOf(camera) ? r : undefined;
};

/**
 * state says whether a camera pushes its notices to this browser.
 * @param {import('./camera.js').Camera} camera
 * @returns {Promise<{possible: boolean, allowed: boolean, here: boolean}>} allowed: the household's setting; here: this browser gets them
 */
export async function state(camera) {
  const { on, subscribed } = await camera.pushState();
  if (!possible()) return { possible: false, allowed: on, here: false };
  const subscription = await (await registered(camera))?.pushManager.getSubscription();
  return { possible: true, allowed: on, here: subscribed && Boolean(subscription) };
}

/** start has a camera push to this browser. It is called while a click is handled: the browser asks. */
export async function start(camera) {
  if (!possible()) throw new Problem('push', 'This browser has no notices of closed pages. On an iPhone or iPad put the page on the home screen first.');
  if (await Notification.requestPermission() !== 'granted') {
    throw new Problem('push', 'This page may not show notices. Allow it in the browser\'s settings of this page.');
  }
  const { key } = await camera.pushState();
  const worker = await navigator.serviceWorker.register(workerURL, { scope: scopeOf(camera) });
  await active(worker);
  let subscription;
  try {
    await (await worker.pushManager.getSubscription())?.unsubscribe(); // it may be of an earlier key
    subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  } catch (cause) {
    throw new Problem('push', 'This browser could not reach its push service. Check its network, and try again.', { cause });
  }
  await camera.subscribe(subscription);
}

/** stop has a camera push to this browser no longer. */
export async function stop(camera) {
  await camera.subscribe();
  await (await registered(camera))?.unregister(); // and its subscription with it
}

/** unregister ends this browser's side of a camera's pushes, of which the camera is not told: it may be away. */
export async function unregister(device) {
  try {
    await (await registered({ device }))?.unregister();
  } catch { /* a browser without it has none */ }
}

// active waits until a service worker is what its registration runs.
function active({ installing, waiting }) {
  const worker = installing ?? waiting;
  if (!worker) return undefined;
  return new Promise((resolve) => {
    worker.addEventListener('statechange', () => { if (worker.state === 'activated' || worker.state === 'redundant') resolve(); });
  });
}

// Taking a camera out of this browser, which changes nothing at the camera.
import { ask } from './dialog.js';
import { words } from './words.js';

const w = words.forget;

/** forget removes a camera from this page, once its person has said yes. */
export async function forget(view, home, camera) {
  const { name, removed } = camera.state;
  if (!await ask({ title: w.title(name), text: [...removed ? [] : [w.member], w.card], yes: w.yes, danger: true })) return;
  await view.attempt(w.forgetting, async () => {
    await home.forget(camera);
    location.hash = '#/cameras';
  });
}

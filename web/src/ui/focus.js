// Where the focus goes when a view takes away what had it: what comes in its place is read by
// who can't see, and is at the top for who can. Else a browser gives the focus to the body, and
// whoever uses a keyboard is back at the beginning of the page.

const headings = 'h1, h2, h3';

let pressed; // what was clicked last: not every browser gives the focus to a button that is clicked
globalThis.addEventListener?.('click', ({ target }) => { pressed = target.closest?.('button, a, label, input'); }, { capture: true });

const nobody = (e) => !e || e === document.body;

/** Focus is a controller of lit's. Every View has one. */
export class Focus {
  #host;
  #had;    // what has the focus in the host, or had it
  #off;    // what had it until it was disabled
  #around; // the elements around what had it, the innermost first
  #before; // the host's headings with their texts, before it was drawn

  /** @param {import('lit').ReactiveControllerHost & HTMLElement} host */
  constructor(host) {
    this.#host = host;
    host.addController(this);
  }

  hostDisconnected() { this.#had = this.#off = undefined; }

  hostUpdate() {
    const now = document.activeElement, inside = (e) => e && e !== this.#host && this.#host.contains(e);
    this.#had = (nobody(now) ? [this.#off, pressed] : [now]).find(inside);
    if (!this.#had) return;
    this.#around = [];
    for (let at = this.#had.parentElement; at !== this.#host; at = at.parentElement) this.#around.push(at);
    this.#around.push(this.#host);
    this.#before = new Map(Array.from(this.#host.querySelectorAll(headings), (h) => [h, h.textContent]));
  }

  hostUpdated() {
    const had = this.#had, now = document.activeElement, off = this.#off;
    this.#had = this.#off = undefined;
    if (!had || !nobody(now) && now !== had) return; // its person went on
    if (!had.isConnected) this.#next();
    else if (had.disabled) this.#off = had; // until the work that it began is done
    else if (had === off) had.focus({ preventScroll: true });
  }

  // next gives the focus to the heading of what came instead: one that is new, else the first. Where
  // there is none, it is the innermost element that is left around what is gone.
  #next() {
    pressed = undefined;
    const place = this.#around.find((e) => e.isConnected) ?? this.#host;
    const all = [...place.querySelectorAll(headings)];
    const heading = all.find((h) => this.#before.get(h) !== h.textContent) ?? all[0];
    const to = heading ?? place;
    if (!to.hasAttribute('tabindex')) to.tabIndex = -1;
    to.focus({ preventScroll: Boolean(heading) });
    heading?.scrollIntoView({ block: 'start' });
  }
}

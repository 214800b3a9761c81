// The base of all components. They draw into the document itself, not into shadow trees: one
// style sheet holds for all, and labels, focus and the accessibility tree cross components.
import { LitElement, html, nothing } from 'lit';
import { Focus } from './focus.js';
import { icons } from './icons.js';
import { words } from './words.js';

/** View draws a part of the page. */
export class View extends LitElement {
  static properties = { busy: { state: true }, problem: { state: true } };

  #followed = [];
  #changed = () => this.requestUpdate();

  constructor() {
    super();
    this.busy = '';
    this.problem = '';
    new Focus(this);
  }

  createRenderRoot() { return this; }

  /** sources returns what the view shows: it is drawn again whenever one of them changes. */
  sources() { return []; }

  connectedCallback() {
    super.connectedCallback();
    this.requestUpdate();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#follow([]);
  }

  willUpdate() { if (this.isConnected) this.#follow(this.sources().filter(Boolean)); }

  #follow(sources) {
    if (sources.length === this.#followed.length && sources.every((s, i) => s === this.#followed[i])) return;
    for (const s of this.#followed) s.removeEventListener('change', this.#changed);
    for (const s of sources) s.addEventListener('change', this.#changed);
    this.#followed = sources;
  }

  /**
   * attempt does work, and says meanwhile what is being done, and afterwards what went wrong.
   * It returns what work does, or undefined.
   */
  async attempt(what, work) {
    if (what) this.busy = what; // else something else may be under way, which is said
    this.problem = '';
    try {
      return await work();
    } catch (error) {
      this.problem = sentence(error);
      return undefined;
    } finally {
      if (this.busy === what) this.busy = '';
    }
  }

  /** outcome draws what attempt says. Both places stay in the document, so that screen readers read them. */
  outcome() {
    return html`
      <p class="busy" role="status">${this.busy ? html`<span class="spinner" aria-hidden="true"></span>${this.busy}` : nothing}</p>
      <p class="problem" role="alert">${this.problem || nothing}</p>`;
  }
}

/**
 * note draws a line below the picture. With close, it stays until its person closes it.
 * @param {{id?: string, bad?: boolean, close?: () => void}} [how]
 */
export function note(text, { id, bad = false, close } = {}) {
  return html`<div class="note" ?data-bad=${bad}><p id=${id ?? nothing} role="status">${text}</p>
    ${close ? html`<button type="button" aria-label=${words.close} @click=${close}>${icons.close}</button>` : nothing}</div>`;
}

/** sentence returns what a person reads of an error: a Problem's own words, or that it was not foreseen. */
export function sentence(error) {
  return error?.name === 'Problem' ? error.message : words.unforeseen(error?.message || String(error));
}

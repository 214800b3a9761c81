// Notices while the page is closed: the household allows them, and each browser asks for its own.
import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import { start, state, stop } from '../core/push.js';
import { Reading } from './reading.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.pushes;

class Notices extends View {
  static properties = { camera: { attribute: false }, now: { state: true } };

  constructor() {
    super();
    new Reading(this, () => this.look(), { what: w.reading });
  }

  async look() { this.now = await state(this.camera); }

  change(work) {
    return this.attempt(w.changing, async () => {
      try {
        await work();
      } finally {
        await this.look();
      }
    });
  }

  render() {
    const { now } = this, off = Boolean(this.busy), owner = this.camera.state.role === 'owner';
    return html`<fieldset class="field"><legend>${w.title}</legend>
      ${now ? html`
        ${owner ? html`<label class="tick"><input type="checkbox" .checked=${live(now.allowed)} ?disabled=${off} aria-describedby="allowhelp"
          @change=${(e) => this.change(() => this.camera.change({ push: e.target.checked ? 'on' : 'off' }))}><span>${w.allow}</span></label>
          <p class="faint" id="allowhelp">${w.allowHelp}</p>` : nothing}
        ${now.possible ? html`<label class="tick"><input type="checkbox" .checked=${live(now.here)} ?disabled=${off || !now.allowed} aria-describedby="herehelp"
          @change=${(e) => this.change(() => (e.target.checked ? start(this.camera) : stop(this.camera)))}><span>${w.here}</span></label>
          <p class="faint" id="herehelp">${now.allowed ? w.hereHelp : w.off}</p>` : html`<p class="faint">${w.impossible}</p>`}` : nothing}
      ${this.outcome()}</fieldset>`;
  }
}

customElements.define('camd-notices', Notices);

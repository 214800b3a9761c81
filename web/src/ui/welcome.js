// The first thing that a new user sees: the two ways to a camera.
import { html, nothing } from 'lit';
import { icons } from './icons.js';
import { canScan } from './qr.js';
import { to } from './route.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.welcome;

class Welcome extends View {
  static properties = { home: { attribute: false } };

  async demo() {
    const camera = await this.attempt(w.pairing, () => this.home.pairDemo());
    if (camera) location.hash = to(camera.device, 'live');
  }

  render() {
    return html`<div class="page narrow welcome">
      <h1>${w.title}</h1>
      <p class="lead">${w.lead}</p>
      ${this.home.demo ? html`<button class="choice primary" type="button" ?disabled=${Boolean(this.busy)} @click=${this.demo}>${icons.camera}<span class="text"><strong>${w.demo}</strong><span>${w.demoHelp}</span></span>${icons.next}</button>` : nothing}
      ${this.outcome()}
      <a class="choice" href="#/add">${icons.link}<span class="text"><strong>${w.card}</strong><span class="faint">${w.cardHelp(canScan())}</span></span>${icons.next}</a>
      <a class="choice" href="#/setup">${icons.plus}<span class="text"><strong>${w.setup}</strong><span class="faint">${w.setupHelp}</span></span>${icons.next}</a>
      <a class="choice" href="#/key">${icons.key}<span class="text"><strong>${w.key}</strong><span class="faint">${w.keyHelp}</span></span>${icons.next}</a>
      ${this.home.keys.persistent ? nothing : html`<p class="faint">${words.key.notPersistent}</p>`}
    </div>`;
  }
}

customElements.define('camd-welcome', Welcome);

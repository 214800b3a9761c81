// The camera's own software: what runs, what is new, and when it may be installed.
import { html, nothing } from 'lit';
import { mayUse } from './household.js';
import { icons } from './icons.js';
import { Reading } from './reading.js';
import { to } from './route.js';
import { when } from './time.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.update;
const day = 24 * 3600e3;
const moving = ['downloading', 'installing', 'restarting', 'trial'];

class UpdateScreen extends View {
  static properties = { camera: { attribute: false }, status: { state: true } };

  constructor() {
    super();
    new Reading(this, async () => { this.status = await this.camera.updateState(); }, { what: w.reading });
  }

  sources() { return [this.camera]; }

  willUpdate(changed) {
    super.willUpdate(changed);
    const { status } = this, newer = this.camera.state.update; // without the notes
    if (!status || !newer || newer.state === status.state && newer.percent === status.percent) return;
    this.status = { ...newer, notes: newer.offered === status.offered ? status.notes : newer.notes };
  }

  do(what, work) { return this.attempt(what, async () => { this.status = await work(); }); }

  postpone() {
    const until = Math.min(Date.now() + 7 * day, this.status.latest?.getTime() ?? Infinity);
    return this.do(w.postponing, () => this.camera.postpone(new Date(until)));
  }

  render() {
    return html`
      <a class="more up" href=${to(this.camera.device, 'settings')}>${icons.back}<span>${words.settings.title}</span></a>
      <h2>${w.title}</h2>
      ${this.outcome()}
      ${this.status ? this.body(this.status) : nothing}`;
  }

  body(u) {
    const zone = this.camera.state.timeZone;
    const waits = u.state === 'available' || u.state === 'installed';
    const may = mayUse(this.camera.state, 'update');
    return html`
      <dl class="facts">
        <div><dt>${w.installed}</dt><dd>${u.version || this.camera.state.version || '–'}</dd></div>
        ${u.offered ? html`<div><dt>${w.offered}</dt><dd>${u.offered}</dd></div>` : nothing}
        ${u.checked ? html`<div><dt>${w.checked}</dt><dd>${when(u.checked, zone)}</dd></div>` : nothing}
      </dl>
      <p>${u.sentence}</p>
      ${moving.includes(u.state) ? html`<label class="progress"><span>${w.progress}</span><progress max="100" .value=${u.percent || nothing}></progress></label>` : nothing}
      ${u.offered && u.security ? html`<p class="warning">${icons.shield}<span>${w.security}</span></p>` : nothing}
      ${u.offered && u.logged ? html`<p class="good">${icons.verified}<span>${w.logged}</span></p>` : nothing}
      ${u.notes ? html`<section><h3>${w.news}</h3><p class="notes">${u.notes}</p></section>` : nothing}
      ${may ? html`<div class="actions start">
        ${waits ? html`<button class="primary" type="button" ?disabled=${Boolean(this.busy)} @click=${() => this.do(w.asking, () => this.camera.install())}>${w.install}</button>
          ${u.postponed ? html`<button class="quiet" type="button" ?disabled=${Boolean(this.busy)} @click=${() => this.do(w.postponing, () => this.camera.postpone())}>${w.resume}</button>` : html`
          <button class="quiet" type="button" ?disabled=${Boolean(this.busy)} @click=${this.postpone}>${w.postpone}</button>`}` : nothing}
        ${this.camera.checkUpdate && ['current', 'available', 'refused', 'failed'].includes(u.state) ? html`<button class="quiet" type="button" ?disabled=${Boolean(this.busy)} @click=${() => this.do(w.looking, () => this.camera.checkUpdate())}>${w.look}</button>` : nothing}
      </div>
      ${waits && u.latest ? html`<p class="faint">${w.latest(when(u.latest, zone))}</p>` : nothing}` : html`<p class="faint">${w.noScope}</p>`}`;
  }
}

customElements.define('camd-update', UpdateScreen);

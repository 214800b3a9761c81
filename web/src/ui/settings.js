// What the household decides about a camera.
import { html, nothing } from 'lit';
import './notices.js';
import { ask } from './dialog.js';
import { forget } from './forget.js';
import { icons } from './icons.js';
import { Reading } from './reading.js';
import { to } from './route.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.settings;

class SettingsScreen extends View {
  static properties = { camera: { attribute: false }, home: { attribute: false }, settings: { state: true }, saved: { state: true } };

  constructor() {
    super();
    new Reading(this, async () => { this.settings = await this.camera.settings(); }, { what: w.reading });
  }

  sources() { return [this.camera]; }

  // set changes one setting, and shows afterwards what the camera says it is.
  async set(name, value, words) {
    if (words && !await ask(words)) {
      this.requestUpdate();
      return;
    }
    this.saved = '';
    await this.attempt(w.saving, async () => {
      this.settings = await this.camera.change({ [name]: value });
      this.saved = name;
    });
  }

  async setAddress(event) {
    event.preventDefault();
    const address = new FormData(event.target).get('address').trim();
    const camera = await this.attempt(w.connecting, () => this.home.setAddress(this.camera, address));
    if (camera) location.hash = to(camera.device, 'live');
  }

  // address is where browsers meet the camera: of this browser, not of the household.
  address() {
    return html`<details ?open=${this.camera.state.link !== 'online'}><summary>${w.address}</summary>
      <form class="form" @submit=${this.setAddress}><div class="field"><label for="address">${words.add.broker}</label>
        <input id="address" name="address" type="url" required placeholder="wss://" autocomplete="off" aria-describedby="addresshelp"><p class="faint" id="addresshelp">${w.addressHelp}</p></div>
        <button class="quiet" type="submit" ?disabled=${Boolean(this.busy)}>${w.connect}</button></form></details>`;
  }

  render() {
    const s = this.settings, may = this.camera.state.scopes?.includes('settings');
    return html`
      <h2>${w.title}</h2>
      ${this.outcome()}
      ${s ? html`
        ${may ? nothing : html`<p class="faint">${w.noScope}</p>`}
        <div class="form">
          ${this.text('name', w.name, w.nameHelp, !may)}
          ${this.zone(!may)}
          ${this.quiet(!may)}
          ${this.choice('talk', w.talk, [['announced', w.announced], ['accepted', w.accepted]], !may, w.talkHelp)}
          ${this.choice('privacy_off', w.privacyOff, [['device', w.byDevice], ['members', w.byMembers]], !may, w.privacyOffHelp)}
        </div>
        ${s.push ? html`<camd-notices .camera=${this.camera}></camd-notices>` : nothing}` : nothing}
      <ul class="rows">
        <li><a class="row" href=${to(this.camera.device, 'update')}>${icons.update}<span class="text"><strong>${words.update.title}</strong>
          <span class="faint">${this.camera.state.update?.sentence ?? words.update.none}</span></span>${icons.next}</a></li>
        <li><a class="row" href="#/key">${icons.key}<span class="text"><strong>${words.cameras.key}</strong><span class="faint">${words.key.short}</span></span>${icons.next}</a></li>
      </ul>
      ${this.address()}
      <button class="danger" type="button" @click=${() => forget(this, this.home, this.camera)}>${icons.leave}<span>${words.forget.button}</span></button>`;
  }

  mark(name) { return this.saved === name ? html`<span class="good" role="status">${icons.check}${w.saved}</span>` : nothing; }

  text(name, label, help, off) {
    return html`<div class="field"><label for=${name}>${label}</label>
      <input id=${name} type="text" maxlength="64" autocomplete="off" aria-describedby="${name}help" placeholder=${this.camera.state.name} .value=${this.settings[name] ?? ''} ?disabled=${off || Boolean(this.busy)} @change=${(e) => this.set(name, e.target.value.trim())}>
      <p class="faint" id="${name}help">${help} ${this.mark(name)}</p></div>`;
  }

  zone(off) {
    const all = Intl.supportedValuesOf?.('timeZone') ?? [];
    return html`<div class="field"><label for="time_zone">${w.zone}</label>
      <input id="time_zone" type="text" list="zones" autocomplete="off" spellcheck="false" aria-describedby="time_zonehelp" .value=${this.settings.time_zone ?? ''} ?disabled=${off || Boolean(this.busy)} @change=${(e) => this.set('time_zone', e.target.value.trim())}>
      <datalist id="zones">${all.map((z) => html`<option value=${z}></option>`)}</datalist>
      <p class="faint" id="time_zonehelp">${w.zoneHelp} ${this.mark('time_zone')}</p></div>`;
  }

  quiet(off) {
    const hours = this.settings.quiet_hours, [from = '22:00', to = '07:00'] = hours ? hours.split('-') : [];
    const input = (name, value, label) => html`<label><span>${label}</span><input type="time" name=${name} .value=${value === '24:00' ? '00:00' : value} ?disabled=${off || Boolean(this.busy)}
      @change=${(e) => { const two = e.target.closest('fieldset').querySelectorAll('input[type=time]'); this.set('quiet_hours', `${two[0].value}-${two[1].value}`); }}></label>`;
    return html`<fieldset class="field"><legend>${w.quiet}</legend>
      <label class="tick"><input type="checkbox" .checked=${Boolean(hours)} ?disabled=${off || Boolean(this.busy)} @change=${(e) => this.set('quiet_hours', e.target.checked ? `${from}-${to}` : '')}><span>${w.quietOn}</span></label>
      ${hours ? html`<div class="times">${input('from', from, w.from)}${input('to', to, w.to)}</div>` : nothing}
      <p class="faint">${w.quietHelp} ${this.mark('quiet_hours')}</p></fieldset>`;
  }

  // choice draws a setting that can be made stricter from here, and weaker only at the camera.
  choice(name, label, options, off, help) {
    const now = this.settings[name];
    return html`<fieldset class="field"><legend>${label}</legend>
      ${options.map(([value, text]) => html`<label class="tick"><input type="radio" name=${name} .checked=${now === value} ?disabled=${off || Boolean(this.busy) || this.onlyAtCamera(name, value)}
        @change=${() => this.set(name, value, { title: w.stricterTitle, text: [w.stricterText], yes: w.stricter })}><span>${text}</span></label>`)}
      <p class="faint">${help} ${this.mark(name)}</p></fieldset>`;
  }

  onlyAtCamera(name, value) {
    return this.settings[name] !== value && (name === 'talk' && value === 'announced' || name === 'privacy_off' && value === 'members');
  }
}

customElements.define('camd-settings', SettingsScreen);

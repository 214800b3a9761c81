// What the household decides about a camera.
import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import './notices.js';
import { ask } from './dialog.js';
import { forget } from './forget.js';
import { icons } from './icons.js';
import { mayUse } from './household.js';
import { Reading } from './reading.js';
import { to } from './route.js';
import { sentence, View } from './view.js';
import { words } from './words.js';

const w = words.settings;

class SettingsScreen extends View {
  static properties = { camera: { attribute: false }, home: { attribute: false }, settings: { state: true }, typed: { state: true }, saved: { state: true }, unreached: { state: true } };

  #saving = Promise.resolve();

  constructor() {
    super();
    this.typed = {}; // what is not saved yet, by the name of the setting, and what became of it
    new Reading(this, async () => { this.settings = await this.camera.settings(); }, { what: w.reading });
  }

  sources() { return [this.camera]; }

  willUpdate(changed) {
    super.willUpdate(changed);
    const before = changed.get('camera');
    if (before && before.device !== this.camera.device) [this.settings, this.typed, this.saved] = [undefined, {}, ''];
    if (this.camera.state.link !== 'online') this.unreached = true; // what is open then stays so: someone may be typing
  }

  // now is what is shown of a setting: what was typed, until it is saved.
  now(name) { return this.typed[name]?.value ?? this.settings[name] ?? ''; }

  type(name, value, how) {
    if (this.saved === name) this.saved = ''; // it was another value
    const { [name]: before, ...rest } = this.typed;
    this.typed = !how && value === this.settings[name] ? rest : { ...rest, [name]: { value, ...how } };
  }

  // set changes one setting after the other, and shows afterwards what the camera says it is.
  async set(name, value, question) {
    if (question && !await ask(question)) {
      this.requestUpdate();
      return;
    }
    this.saved = '';
    this.type(name, value, { busy: true });
    this.#saving = this.#saving.then(() => this.#save(name, value));
    await this.#saving;
  }

  async #save(name, value) {
    try {
      this.settings = await this.camera.change({ [name]: value });
      const { [name]: typed, ...rest } = this.typed;
      if (typed?.value === value) this.typed = rest; // else it goes on
      this.saved = name;
    } catch (error) {
      this.type(name, this.typed[name]?.value ?? value, { why: sentence(error), again: true });
    }
  }

  async setAddress(event) {
    event.preventDefault();
    const address = new FormData(event.target).get('address').trim();
    const camera = await this.attempt(w.connecting, () => this.home.setAddress(this.camera, address));
    if (camera) location.hash = to(camera.device, 'live');
  }

  // address is where browsers meet the camera: of this browser, not of the household.
  address() {
    return html`<details ?open=${Boolean(this.unreached)}><summary>${w.address}</summary>
      <form class="form" @submit=${this.setAddress}><div class="field"><label for="address">${words.add.broker}</label>
        <input id="address" name="address" type="url" required placeholder="wss://" autocomplete="off" aria-describedby="addresshelp"><p class="faint" id="addresshelp">${w.addressHelp}</p></div>
        <button class="quiet" type="submit" ?disabled=${Boolean(this.busy)}>${w.connect}</button></form></details>`;
  }

  render() {
    const { state } = this.camera, s = state.removed ? undefined : this.settings, may = mayUse(state, 'settings');
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
          <span class="faint">${state.update?.sentence ?? (state.version ? words.update.none : words.update.unknown)}</span></span>${icons.next}</a></li>
        <li><a class="row" href="#/key">${icons.key}<span class="text"><strong>${words.cameras.key}</strong><span class="faint">${words.key.short}</span></span>${icons.next}</a></li>
      </ul>
      ${this.address()}
      <button class="danger" type="button" @click=${() => forget(this, this.home, this.camera)}>${icons.leave}<span>${words.forget.button}</span></button>`;
  }

  // mark says below a setting whether it is saved.
  mark(name) {
    const { value, busy, why, again } = this.typed[name] ?? {};
    return html`<p class=${busy ? 'busy' : 'good'} role="status">${busy ? html`<span class="spinner" aria-hidden="true"></span>${w.saving}` : this.saved === name ? html`${icons.check}${w.saved}` : nothing}</p>
      <p class="problem" role="alert">${why ? w.unsaved(why) : nothing}</p>
      ${again ? html`<div class="actions start"><button class="quiet small" type="button" @click=${() => this.set(name, value)}>${w.again}</button></div>` : nothing}`;
  }

  text(name, label, help, off) {
    return html`<div class="field"><label for=${name}>${label}</label>
      <input id=${name} type="text" maxlength="64" autocomplete="off" aria-describedby="${name}help" placeholder=${this.camera.state.name} .value=${this.now(name)} ?disabled=${off} @input=${(e) => this.type(name, e.target.value)} @change=${(e) => this.set(name, e.target.value.trim())}>
      <p class="faint" id="${name}help">${help}</p>${this.mark(name)}</div>`;
  }

  zone(off) {
    const all = Intl.supportedValuesOf?.('timeZone') ?? [];
    return html`<div class="field"><label for="time_zone">${w.zone}</label>
      <input id="time_zone" type="text" list="zones" autocomplete="off" spellcheck="false" aria-describedby="time_zonehelp" .value=${this.now('time_zone')} ?disabled=${off} @input=${(e) => this.type('time_zone', e.target.value)} @change=${(e) => this.set('time_zone', e.target.value.trim())}>
      <datalist id="zones">${all.map((z) => html`<option value=${z}></option>`)}</datalist>
      <p class="faint" id="time_zonehelp">${w.zoneHelp}</p>${this.mark('time_zone')}</div>`;
  }

  quiet(off) {
    const hours = this.now('quiet_hours'), [from = '22:00', to = '07:00'] = hours ? hours.split('-') : [];
    const input = (name, value, label) => html`<label><span>${label}</span><input type="time" name=${name} .value=${value === '24:00' ? '00:00' : value} ?disabled=${off}
      @change=${(e) => { const two = e.target.closest('fieldset').querySelectorAll('input[type=time]'); this.hours(two[0].value, two[1].value); }}></label>`;
    return html`<fieldset class="field"><legend>${w.quiet}</legend>
      <label class="tick"><input type="checkbox" .checked=${live(Boolean(hours))} ?disabled=${off} @change=${(e) => this.set('quiet_hours', e.target.checked ? `${from}-${to}` : '')}><span>${w.quietOn}</span></label>
      ${hours ? html`<div class="times">${input('from', from, w.from)}${input('to', to, w.to)}</div>` : nothing}
      <p class="faint">${w.quietHelp}</p>${this.mark('quiet_hours')}</fieldset>`;
  }

  hours(from, to) {
    if (from && to && from !== to) this.set('quiet_hours', `${from}-${to}`);
    else this.type('quiet_hours', `${from}-${to}`, { why: w.twoTimes });
  }

  // choice draws a setting that can be made stricter from here, and weaker only at the camera.
  choice(name, label, options, off, help) {
    const now = this.now(name);
    return html`<fieldset class="field"><legend>${label}</legend>
      ${options.map(([value, text]) => html`<label class="tick"><input type="radio" name=${name} .checked=${live(now === value)} ?disabled=${off || this.onlyAtCamera(name, value)}
        @change=${() => this.set(name, value, { title: w.stricterTitle, text: [w.stricterText], yes: w.stricter })}><span>${text}</span></label>`)}
      <p class="faint">${help}</p>${this.mark(name)}</fieldset>`;
  }

  onlyAtCamera(name, value) {
    return this.settings[name] !== value && (name === 'talk' && value === 'announced' || name === 'privacy_off' && value === 'members');
  }
}

customElements.define('camd-settings', SettingsScreen);

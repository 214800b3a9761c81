// Letting someone in: their key, the comparison, what they may do, and the camera card for them.
import { html, nothing } from 'lit';
import { isHere } from '../core/config.js';
import './paste.js';
import { canScan } from './qr.js';
import './schedule.js';
import { mayUse } from './household.js';
import { icons } from './icons.js';
import { handOver } from './key.js';
import { loginFields, noLogin } from './login.js';
import { presets } from './rights.js';
import { rights } from './rightsform.js';
import { to } from './route.js';
import { endOf } from './time.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.invite;

/** handCard draws a camera card to give away. It opens only with the key that it was made for, so any way will do. */
export function handCard(view, card, name) {
  const here = isHere(location.hostname), link = `${location.origin}${location.pathname}#card=${encodeURIComponent(card)}`;
  return html`${handOver(view, { text: card, link, file: 'camera.card', title: w.cardTitle(view.camera.state.name) })}
    ${here ? html`<p class="faint">${w.linkHere}</p>` : nothing}
    <figure class="keycard"><camd-qr .text=${card} .label=${w.cardQR}></camd-qr><figcaption class="faint">${w.cardHelp(name)}</figcaption></figure>
    <section class="compare"><h3>${w.yours}</h3><p class="sixwords">${view.home.keys.words}</p><p class="faint">${w.yoursHelp(name)}</p></section>`;
}

class Invite extends View {
  static properties = { camera: { attribute: false }, home: { attribute: false }, key: { state: true }, same: { state: true }, differ: { state: true }, draft: { state: true }, card: { state: true }, note: { state: true } };

  constructor() {
    super();
    this.draft = { name: '', role: 'guest', scopes: presets.guest, weekly: '', until: '', login: noLogin };
  }

  sources() { return [this.camera]; }

  read(text) {
    return this.attempt(w.reading, async () => {
      this.key = { text, ...await this.home.readKey(text) };
      this.differ = false;
    });
  }

  change(part) { this.draft = { ...this.draft, ...part }; }

  grant(event) {
    event.preventDefault();
    const { name, role, scopes, weekly, until, login } = this.draft;
    return this.attempt(w.granting, async () => {
      const end = until ? endOf(until, this.camera.state.timeZone) : undefined;
      await this.camera.grant(this.key.text, { name: name.trim(), role, scopes, weekly: role === 'owner' ? '' : weekly, until: role === 'owner' ? undefined : end });
      this.card = await this.camera.cardFor(this.key.text, login.user ? login : undefined);
      this.note = ''; // it was about the command for a login
    });
  }

  render() {
    return html`
      <a class="more up" href=${to(this.camera.device, 'people')}>${icons.back}<span>${words.people.title}</span></a>
      <h2>${this.card ? w.doneTitle(this.draft.name) : w.title}</h2>
      ${this.card ? this.done() : !this.key ? this.ask() : !this.same ? this.compare() : this.form()}`;
  }

  ask() {
    return html`${this.differ ? html`<section class="warning block" role="alert">${icons.warn}<div><h3>${words.differ.title}</h3><p>${w.differ}</p></div></section>` : nothing}
      <ol class="steps">${w.steps(isHere(location.hostname) ? '' : location.origin + location.pathname, canScan()).map((s) => html`<li>${s}</li>`)}</ol>
      <camd-paste .label=${w.key} .hint=${w.keyHelp} accept="text/plain,.txt,.key" @text=${({ detail }) => this.read(detail)}></camd-paste>
      ${this.outcome()}`;
  }

  compare() {
    return html`<section class="compare"><h3>${w.compareTitle}</h3><p class="sixwords">${this.key.words}</p><p>${w.compare}</p></section>
      <div class="actions start"><button class="primary" type="button" @click=${() => { this.same = true; }}>${icons.check}<span>${w.sameWords}</span></button>
        <button class="quiet" type="button" @click=${() => { this.key = undefined; this.differ = true; }}>${w.different}</button></div>`;
  }

  form() {
    const { name, role, scopes, weekly, until } = this.draft, own = this.camera.state;
    const roles = own.role === 'owner' ? ['guest', 'adult', 'owner'] : ['guest'];
    return html`<form class="form" @submit=${this.grant}>
      <div class="field"><label for="name">${w.name}</label><input id="name" type="text" required maxlength="64" autocomplete="off" aria-describedby="namehelp" .value=${name} @input=${(e) => this.change({ name: e.target.value })}>
        <p class="faint" id="namehelp">${w.nameHelp}</p></div>
      <fieldset class="field"><legend>${w.role}</legend>${roles.map((r) => html`<label class="tick"><input type="radio" name="role" .checked=${role === r}
        @change=${() => this.change({ role: r, scopes: presets[r].filter((s) => mayUse(own, s)) })}><span><strong>${words.people.roles[r]}</strong> <span class="faint">${w.roles[r]}</span></span></label>`)}</fieldset>
      ${role === 'owner' ? nothing : html`${rights(scopes, role, own, (s) => this.change({ scopes: s }))}
        <camd-schedule .weekly=${weekly} @weekly=${({ detail }) => this.change({ weekly: detail })}></camd-schedule>
        <div class="field"><label for="until">${w.until}</label><input id="until" type="date" aria-describedby="untilhelp" .value=${until} @change=${(e) => this.change({ until: e.target.value })}><p class="faint" id="untilhelp">${w.untilHelp}</p></div>`}
      ${this.home.logins ? nothing : loginFields(this, { device: this.camera.device, key: this.key.text, login: this.draft.login, change: (login) => this.change({ login }) })}
      ${this.outcome()}
      <button class="primary" type="submit" ?disabled=${Boolean(this.busy) || scopes.length === 0 || role !== 'owner' && weekly === null}>${w.grant}</button>
    </form>`;
  }

  done() {
    return html`<p>${w.done(this.draft.name)}</p>
      ${this.home.logins || this.draft.login.user ? nothing : html`<p class="warning">${icons.warn}<span>${words.login.none(this.draft.name)}</span></p>`}
      ${handCard(this, this.card, this.draft.name)}
      ${this.outcome()}
      <a class="quiet button" href=${to(this.camera.device, 'people')}>${w.back}</a>`;
  }
}

customElements.define('camd-invite', Invite);

// Letting someone in: their key, the comparison, what they may do, and the camera card for them.
import { html, nothing } from 'lit';
import './paste.js';
import { canScan } from './qr.js';
import './schedule.js';
import { icons } from './icons.js';
import { handOver } from './key.js';
import { presets } from './rights.js';
import { rights } from './rightsform.js';
import { to } from './route.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.invite;

/** handCard draws a camera card to give away. It opens only with the key that it was made for, so any way will do. */
export function handCard(view, card, name) {
  const link = `${location.origin}${location.pathname}#card=${encodeURIComponent(card)}`;
  return html`${handOver(view, { text: card, link, file: 'camera.card', title: w.cardTitle(view.camera.state.name) })}
    <figure class="keycard"><camd-qr .text=${card} .label=${w.cardQR}></camd-qr><figcaption class="faint">${w.cardHelp}</figcaption></figure>
    <section class="compare"><h3>${w.yours}</h3><p class="sixwords">${view.home.keys.words}</p><p class="faint">${w.yoursHelp(name)}</p></section>`;
}

class Invite extends View {
  static properties = { camera: { attribute: false }, home: { attribute: false }, key: { state: true }, same: { state: true }, differ: { state: true }, draft: { state: true }, card: { state: true }, note: { state: true } };

  constructor() {
    super();
    this.draft = { name: '', role: 'guest', scopes: presets.guest, weekly: '', until: '', user: '', password: '' };
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
    const { name, role, scopes, weekly, until, user, password } = this.draft;
    return this.attempt(w.granting, async () => {
      const end = until ? new Date(`${until}T23:59:59`) : undefined;
      await this.camera.grant(this.key.text, { name: name.trim(), role, scopes, weekly: role === 'owner' ? '' : weekly, until: role === 'owner' ? undefined : end });
      this.card = await this.camera.cardFor(this.key.text, user ? { user, password } : undefined);
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
      <ol class="steps">${w.steps(location.origin + location.pathname, canScan()).map((s) => html`<li>${s}</li>`)}</ol>
      <camd-paste .label=${w.key} .hint=${w.keyHelp} accept="text/plain,.txt,.key" @text=${({ detail }) => this.read(detail)}></camd-paste>
      ${this.outcome()}`;
  }

  compare() {
    return html`<section class="compare"><h3>${w.compareTitle}</h3><p class="sixwords">${this.key.words}</p><p>${w.compare}</p></section>
      <div class="actions start"><button class="primary" type="button" @click=${() => { this.same = true; }}>${icons.check}<span>${w.sameWords}</span></button>
        <button class="quiet" type="button" @click=${() => { this.key = undefined; this.differ = true; }}>${w.different}</button></div>`;
  }

  form() {
    const { name, role, scopes, weekly, until } = this.draft, own = { scopes: [], ...this.camera.state };
    const roles = own.role === 'owner' ? ['guest', 'adult', 'owner'] : ['guest'];
    return html`<form class="form" @submit=${this.grant}>
      <div class="field"><label for="name">${w.name}</label><input id="name" type="text" required maxlength="64" autocomplete="off" aria-describedby="namehelp" .value=${name} @input=${(e) => this.change({ name: e.target.value })}>
        <p class="faint" id="namehelp">${w.nameHelp}</p></div>
      <fieldset class="field"><legend>${w.role}</legend>${roles.map((r) => html`<label class="tick"><input type="radio" name="role" .checked=${role === r}
        @change=${() => this.change({ role: r, scopes: presets[r].filter((s) => own.scopes.includes(s)) })}><span><strong>${words.people.roles[r]}</strong> <span class="faint">${w.roles[r]}</span></span></label>`)}</fieldset>
      ${role === 'owner' ? nothing : html`${rights(scopes, role, own.scopes, (s) => this.change({ scopes: s }))}
        <camd-schedule .weekly=${weekly} @weekly=${({ detail }) => this.change({ weekly: detail })}></camd-schedule>
        <div class="field"><label for="until">${w.until}</label><input id="until" type="date" aria-describedby="untilhelp" .value=${until} @change=${(e) => this.change({ until: e.target.value })}><p class="faint" id="untilhelp">${w.untilHelp}</p></div>`}
      <details><summary>${w.login}</summary><p class="faint">${w.loginHelp}</p>
        <div class="field"><label for="user">${w.user}</label><input id="user" type="text" autocomplete="off" autocapitalize="off" spellcheck="false" @input=${(e) => this.change({ user: e.target.value.trim() })}></div>
        <div class="field"><label for="password">${w.password}</label><input id="password" type="text" autocomplete="off" autocapitalize="off" spellcheck="false" @input=${(e) => this.change({ password: e.target.value })}></div></details>
      ${this.outcome()}
      <button class="primary" type="submit" ?disabled=${Boolean(this.busy) || scopes.length === 0}>${w.grant}</button>
    </form>`;
  }

  done() {
    return html`<p>${w.done(this.draft.name)}</p>
      ${handCard(this, this.card, this.draft.name)}
      ${this.outcome()}
      <a class="quiet button" href=${to(this.camera.device, 'people')}>${w.back}</a>`;
  }
}

customElements.define('camd-invite', Invite);

// A camera to which someone else has added this browser: its card, the comparison, and what changes.
import { html, nothing } from 'lit';
import './paste.js';
import { icons } from './icons.js';
import { to } from './route.js';
import { View } from './view.js';
import { own, words } from './words.js';

const w = words.add;

class Add extends View {
  static properties = { home: { attribute: false }, card: {}, invitation: { state: true }, differ: { state: true }, text: { state: true }, address: { state: true } };

  willUpdate(changed) {
    super.willUpdate(changed);
    if (changed.has('card') && this.card) this.read(this.card);
  }

  // read takes a card, or the link with one in it.
  read(given) {
    const at = given.indexOf('#card=');
    this.text = at < 0 ? given : given.slice(at + '#card='.length);
    return this.attempt(w.reading, async () => {
      this.invitation = undefined;
      this.differ = '';
      this.invitation = await this.home.readCard(this.text);
    });
  }

  async accept(event) {
    event.preventDefault();
    const broker = new FormData(event.target).get('broker')?.trim();
    const camera = await this.attempt(w.adding, () => this.home.addCard(this.text, { words: this.invitation.words, broker: broker || undefined }));
    if (camera) location.hash = to(camera.device, 'live');
  }

  render() {
    return html`<div class="page narrow">
      <h1>${w.title}</h1>
      ${this.invitation ? this.compare(this.invitation) : html`
        ${this.differ ? html`<section class="warning block" role="alert">${icons.warn}<div><h2>${words.differ.title}</h2><p>${w.differ(this.differ)}</p></div></section>` : nothing}
        <p>${w.what}</p>
        <camd-paste .label=${w.label} .hint=${w.hint} @text=${({ detail }) => this.read(detail)}></camd-paste>
        <p class="faint">${w.noCard} <a href="#/key">${w.showKey}</a></p>`}
      ${this.outcome()}
    </div>`;
  }

  compare(i) {
    return html`<form @submit=${this.accept}>
      <dl class="facts">
        <div><dt>${w.camera}</dt><dd>${i.camera || w.unnamed}</dd></div>
        <div><dt>${w.by}</dt><dd>${i.by}</dd></div>
        <div><dt>${w.as}</dt><dd>${i.member} (${own(words.people.roles, i.role) ?? i.role})</dd></div>
      </dl>
      <section class="compare"><h2>${w.compareTitle(i.by)}</h2>
        <p class="sixwords">${i.words}</p><p>${w.compare(i.by)}</p></section>
      ${i.changes.length > 0 ? html`<section class="warning block">${icons.warn}<div><h2>${w.changes}</h2><ul>${i.changes.map((c) => html`<li>${c}</li>`)}</ul></div></section>` : nothing}
      ${i.needsAddress ? html`<div class="field"><label for="broker">${w.broker}</label>
        <input id="broker" name="broker" type="url" required placeholder="wss://" autocomplete="off" aria-describedby="brokerhelp"><p class="faint" id="brokerhelp">${w.brokerHelp}</p></div>` : nothing}
      <div class="actions start"><button class="primary" type="submit" ?disabled=${Boolean(this.busy)}>${icons.check}<span>${w.same}</span></button>
        <button class="quiet" type="button" @click=${() => { this.differ = i.by; this.invitation = undefined; }}>${w.different}</button></div>
    </form>`;
  }
}

customElements.define('camd-add', Add);

// This browser's key: what a person passes on to be added, and the six words to compare.
import { html, nothing } from 'lit';
import './qr.js';
import { icons } from './icons.js';
import { save } from './files.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.key;

/** handOver draws the ways in which a text is passed on: the system's own sharing, copy, file. */
export function handOver(view, { text, link, file, title }) {
  const shared = link ? { title, url: link } : { title, text };
  const copy = () => view.attempt('', async () => {
    await navigator.clipboard.writeText(link ?? text);
    view.note = w.copied;
  });
  const share = () => navigator.share(shared).catch(() => {}); // the person may turn back
  return html`<div class="actions start">
    ${navigator.canShare?.(shared) ? html`<button class="primary" type="button" @click=${share}>${icons.link}<span>${w.share}</span></button>` : nothing}
    <button class="quiet" type="button" @click=${copy}>${icons.link}<span>${link ? w.copyLink : w.copy}</span></button>
    <button class="quiet" type="button" @click=${() => save(new Blob([text, '\n'], { type: 'text/plain' }), file)}>${icons.file}<span>${w.file}</span></button>
  </div>
  <p class="good" role="status">${view.note || nothing}</p>`;
}

class KeyScreen extends View {
  static properties = { home: { attribute: false }, note: { state: true } };

  render() {
    const { keys } = this.home;
    return html`<div class="page narrow">
      <h1>${w.title}</h1>
      <p>${w.what}</p>
      <ol class="steps">${w.steps.map((s) => html`<li>${s}</li>`)}<li>${w.card} <a href="#/add">${w.openCard}</a></li></ol>
      <figure class="keycard">
        <camd-qr .text=${keys.text} .label=${w.qr}></camd-qr>
        <figcaption><span class="faint">${w.words}</span><span class="sixwords">${keys.words}</span></figcaption>
      </figure>
      ${handOver(this, { text: keys.text, file: 'key.txt', title: w.title })}
      ${this.outcome()}
      <section><h2>${w.lostTitle}</h2>
        ${keys.persistent ? nothing : html`<p class="warning">${icons.warn}<span>${w.notPersistent}</span></p>`}
        <p>${w.lost}</p></section>
    </div>`;
  }
}

customElements.define('camd-key', KeyScreen);

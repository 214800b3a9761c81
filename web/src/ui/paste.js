// One text from someone else, by whatever way it comes: scanned, from a file, or pasted. Tells
// its parent by the event `text`.
import { html, nothing } from 'lit';
import './qr.js';
import { textOf } from './files.js';
import { icons } from './icons.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.paste;

class Paste extends View {
  static properties = { label: {}, hint: {}, accept: {} };

  tell(text) {
    const whole = text.trim();
    if (whole) this.dispatchEvent(new CustomEvent('text', { detail: whole }));
    else this.problem = w.empty;
  }

  async file({ target }) {
    const [file] = target.files;
    target.value = ''; // so that the same file can be chosen again
    if (file) this.tell(await textOf(file));
  }

  submit(event) {
    event.preventDefault();
    this.tell(new FormData(event.target).get('text'));
  }

  render() {
    return html`<form class="paste" @submit=${this.submit}>
      <div class="field"><label for="pasted">${this.label}</label>
        <textarea id="pasted" name="text" rows="3" autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby=${this.hint ? 'pastedhelp' : nothing}></textarea>
        ${this.hint ? html`<p class="faint" id="pastedhelp">${this.hint}</p>` : nothing}</div>
      <div class="actions start"><button class="primary" type="submit">${w.next}</button>
        <label class="quiet button file">${icons.file}<span>${w.file}</span><input type="file" accept=${this.accept || nothing} @change=${this.file}></label></div>
      <camd-scan @text=${({ detail }) => this.tell(detail)}></camd-scan>
      <p class="problem" role="alert">${this.problem || nothing}</p>
    </form>`;
  }
}

customElements.define('camd-paste', Paste);

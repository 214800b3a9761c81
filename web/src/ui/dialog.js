// Questions that need an answer before something is done, in the browser's own dialog: it
// keeps the focus inside, and Escape is no.
import { html, nothing, render } from 'lit';
import { words } from './words.js';

/**
 * ask resolves to null for no, and for yes to whether the option was ticked.
 * @param {{title: string, text: string[], option?: string, yes: string, danger?: boolean}} question
 * @returns {Promise<{option: boolean} | null>}
 */
export function ask({ title, text, option, yes, danger = false }) {
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-labelledby', 'asktitle');
  document.body.append(dialog);
  return new Promise((done) => {
    const answer = (value) => {
      done(value);
      dialog.remove(); // the browser gives the focus back to where it was when a dialog closes
    };
    dialog.addEventListener('close', () => {
      answer(dialog.returnValue === 'yes' ? { option: dialog.querySelector('input')?.checked ?? false } : null);
    });
    render(html`<form method="dialog">
      <h2 id="asktitle">${title}</h2>
      ${text.map((t) => html`<p>${t}</p>`)}
      ${option ? html`<label class="tick"><input type="checkbox"><span>${option}</span></label>` : nothing}
      <div class="actions"><button class="quiet" value="no" autofocus>${words.cancel}</button>
        <button class=${danger ? 'danger' : 'primary'} value="yes">${yes}</button></div>
    </form>`, dialog);
    dialog.showModal();
  });
}

// A new member's login at the broker. No page can make one: the page's server gives it, or
// whoever runs the broker makes it and tells it.
import { html } from 'lit';
import { words } from './words.js';

const w = words.login;

/** noLogin is what is typed before anything is. */
export const noLogin = { user: '', password: '' };

/**
 * loginFields draws the fields for a login that was made elsewhere, and the command for it.
 * @param {import('./view.js').View} view
 * @param {{device: string, key: string, login: object, change: (login: object) => void}} of key: the new member's, as text
 */
export function loginFields(view, { device, key, login, change }) {
  const command = `deploy/household login --camera ${device} '${key.replaceAll(/\s/g, '')}'`;
  const field = (name, label) => html`<div class="field"><label for=${name}>${label}</label><input id=${name} type="text" autocomplete="off" autocapitalize="off" spellcheck="false"
    .value=${login[name]} @input=${(e) => change({ ...login, [name]: e.target.value.trim() })}></div>`;
  const copy = () => view.attempt('', async () => {
    await navigator.clipboard.writeText(command);
    view.note = words.key.copied;
  });
  return html`<details><summary>${w.title}</summary>
    <p class="faint">${w.why}</p><p class="faint">${w.how} <code>deploy/household login --camera ${device} KEY</code></p>
    <div class="actions start"><button class="quiet small" type="button" @click=${copy}>${w.copy}</button></div>
    <p class="good" role="status">${view.note}</p>
    <p class="faint">${w.then}</p>${field('user', w.user)}${field('password', w.password)}</details>`;
}

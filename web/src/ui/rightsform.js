// What a member may do, as boxes to tick.
import { html, nothing } from 'lit';
import { most } from './rights.js';
import { own, words } from './words.js';

const w = words.rights;

/** rights draws boxes for what one can give: nobody gives what they don't have. */
export function rights(scopes, role, given, change) {
  const toggle = (scope, on) => change(on ? [...scopes, scope] : scopes.filter((s) => s !== scope));
  return html`<fieldset class="rights"><legend>${w.title}</legend>${(own(most, role) ?? []).map((scope) => html`
    <label><input type="checkbox" .checked=${scopes.includes(scope)} ?disabled=${!given.includes(scope)}
      @change=${(e) => toggle(scope, e.target.checked)}><span>${w.may[scope]}${given.includes(scope) ? nothing : html` <span class="faint">${w.notYours}</span>`}</span></label>`)}
  </fieldset>`;
}

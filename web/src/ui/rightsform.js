// What a member may do, as boxes to tick.
import { html, nothing } from 'lit';
import { most } from './rights.js';
import { mayUse } from './household.js';
import { own as known, words } from './words.js';

const w = words.rights;

/** rights draws boxes for what one can give: nobody gives what they don't have. own is how the camera stands for this client. */
export function rights(scopes, role, own, change) {
  const toggle = (scope, on) => change(on ? [...scopes, scope] : scopes.filter((s) => s !== scope));
  return html`<fieldset class="rights"><legend>${w.title}</legend>${(known(most, role) ?? []).map((scope) => html`
    <label><input type="checkbox" .checked=${scopes.includes(scope)} ?disabled=${!mayUse(own, scope)}
      @change=${(e) => toggle(scope, e.target.checked)}><span>${w.may[scope]}${mayUse(own, scope) ? nothing : html` <span class="faint">${w.notYours}</span>`}</span></label>`)}
  </fieldset>`;
}

// What a new camera is told: its Wi-Fi, and where it and its people meet.
import { html, nothing } from 'lit';
import { words } from './words.js';

const w = words.setup;

/**
 * fields draws the questions. networks are those that the camera hears; without any, the
 * name is typed. filled is what filledIn returned of an attempt before.
 */
export function fields({ wifi, networks = [], broker, needsBroker = false, filled = {} }) {
  return html`${wifi ? wifiFields(networks, filled) : nothing}${broker ? brokerFields(needsBroker, filled) : nothing}`;
}

function wifiFields(networks, filled) {
  const usable = networks.filter((n) => n.security !== 'other');
  return html`<fieldset class="field"><legend>${w.wifi}</legend>
    ${usable.length > 0 ? html`<label for="network">${w.network}</label>
      <select id="network" name="network"><option value="">${w.keepWiFi}</option>${usable.map((n, i) => html`<option value=${i + 1} ?selected=${n.name === filled.networkName}>${n.name}${n.security === 'open' ? ` (${w.open})` : ''}</option>`)}</select>` : html`
      <label for="ssid">${w.ssid}</label><input id="ssid" name="ssid" .value=${filled.ssid ?? ''} type="text" maxlength="32" autocomplete="off" autocapitalize="off" spellcheck="false">`}
    <label for="wifipassword">${w.password}</label><input id="wifipassword" name="password" .value=${filled.password ?? ''} type="password" maxlength="64" autocomplete="off">
    <label class="tick"><input type="checkbox" name="open" .checked=${Boolean(filled.open)}><span>${w.openOk}</span></label>
    ${usable.length > 0 ? nothing : html`<label class="tick"><input type="checkbox" name="hidden" .checked=${Boolean(filled.hidden)}><span>${w.hidden}</span></label>`}
  </fieldset>`;
}

function brokerFields(needed, filled) {
  return html`<details ?open=${needed || Boolean(filled.broker)}><summary>${w.broker}</summary>
    <p class="faint">${w.brokerHelp}</p>
    <div class="field"><label for="brokerurl">${w.brokerUrl}</label><input id="brokerurl" name="broker" .value=${filled.broker ?? ''} type="text" inputmode="url" placeholder="mqtts://" autocomplete="off" autocapitalize="off" spellcheck="false"></div>
    <div class="field"><label for="ca">${w.ca}</label><textarea id="ca" name="ca" .value=${filled.ca ?? ''} rows="3" autocomplete="off" spellcheck="false" placeholder="-----BEGIN CERTIFICATE-----"></textarea></div>
    <div class="field"><label for="est">${w.est}</label><input id="est" name="est" .value=${filled.est ?? ''} type="text" inputmode="url" placeholder="https://" autocomplete="off" autocapitalize="off" spellcheck="false"></div>
    <div class="field"><label for="estuser">${w.estUser}</label><input id="estuser" name="estuser" .value=${filled.estuser ?? ''} type="text" autocomplete="off" autocapitalize="off" spellcheck="false"></div>
    <div class="field"><label for="estpassword">${w.estPassword}</label><input id="estpassword" name="estpassword" .value=${filled.estpassword ?? ''} type="text" autocomplete="off"></div>
  </details>`;
}

/** filledIn returns what was filled in, for the same form when it is shown again. The camera may list its networks in another order then. */
export const filledIn = (form, networks) => ({ ...Object.fromEntries(form), networkName: chosen(form, networks)?.name });

const chosen = (form, networks) => networks.filter((n) => n.security !== 'other')[Number(form.get('network') ?? '') - 1];

/**
 * settingsOf returns what was filled in, as setup/settings.js takes it. What is empty stays as
 * it is at the camera.
 */
export function settingsOf(form, networks) {
  const text = (name) => String(form.get(name) ?? '').trim();
  const settings = {};
  const network = chosen(form, networks);
  const ssid = network?.ssid ?? text('ssid');
  if (ssid.length > 0) {
    settings.wifi = { ssid, password: String(form.get('password') ?? ''), security: network?.security, hidden: form.has('hidden'), openOk: form.has('open') };
  }
  if (text('broker')) settings.broker = { url: text('broker'), ca: text('ca') || undefined };
  if (text('est')) settings.est = { url: text('est'), user: text('estuser'), password: String(form.get('estpassword') ?? '') };
  return settings;
}

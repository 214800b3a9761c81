// All cameras: a card each, with its picture of the last event, how it is, and what happened last.
import { html, nothing } from 'lit';
import { icons } from './icons.js';
import { Reading } from './reading.js';
import { to } from './route.js';
import { watchers } from './stage.js';
import { when } from './time.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.cameras;

class Cameras extends View {
  static properties = { home: { attribute: false } };

  sources() { return [this.home]; }

  render() {
    return html`<div class="page">
      <div class="titlerow"><h1>${w.title}</h1><a class="quiet button" href="#/add">${icons.plus}<span>${w.add}</span></a></div>
      <ul class="cards">${this.home.cameras.map((c) => html`<li><camd-card .camera=${c}></camd-card></li>`)}</ul>
      <a class="more keylink" href="#/key">${icons.key}<span>${w.key}</span>${icons.next}</a>
    </div>`;
  }
}

class Card extends View {
  static properties = { camera: { attribute: false }, picture: { state: true }, moving: { state: true } };

  #of; // number of the ring whose picture is shown, or was asked for in vain

  constructor() {
    super();
    new Reading(this, async () => {
      if (this.picture) return;
      this.#of = undefined;
      this.requestUpdate();
    });
  }

  sources() { return [this.camera]; }

  willUpdate(changed) {
    super.willUpdate(changed);
    const { lastEvent, scopes } = this.camera.state;
    if (scopes?.includes('events') && lastEvent?.picture && lastEvent.n !== this.#of) this.#ring(lastEvent.n);
  }

  // ring shows the picture of the last ring. Reading what the camera keeps is no access to it.
  async #ring(n) {
    this.#of = n;
    try {
      const ring = (await this.camera.events()).find((e) => e.n === n);
      if (ring?.picture) this.show(await this.camera.eventPicture(ring));
    } catch { /* the card shows none */ }
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.show(undefined);
  }

  show(blob) {
    if (this.picture) URL.revokeObjectURL(this.picture);
    this.picture = blob && URL.createObjectURL(blob);
    this.moving = blob?.type === 'video/mp4'; // of a camera that makes H.264 itself: one picture
  }

  seen(text) { return this.moving ? html`<video src=${this.picture} muted playsinline preload="auto" aria-label=${text}></video>` : html`<img src=${this.picture} alt=${text}>`; }

  snapshot() {
    return this.attempt(w.taking, async () => {
      const blob = await this.camera.snapshot();
      this.show(blob);
    });
  }

  render() {
    const { state, device } = this.camera;
    const last = state.lastEvent, scopes = state.scopes ?? [];
    const [kind, text] = glance(state);
    return html`<article class="card">
      <a class="open" href=${to(device, 'live')}>
        <div class="thumb">${this.picture ? this.seen(w.pictureOf(state.name)) : state.privacy ? icons.eyeOff : icons.camera}
          <span class="chip" data-state=${kind}><span class="dot" aria-hidden="true"></span>${text}</span></div>
        <h2>${state.name}</h2>
        <p class="faint">${state.link === 'online' ? watchers(state) : state.sentence || text}</p>
        ${last ? html`<p class="faint">${icons.bell}${w.rang} <time datetime=${last.time.toISOString()}>${when(last.time, state.timeZone)}</time></p>` : nothing}
      </a>
      ${scopes.includes('snapshot') && state.link === 'online' && !state.privacy ? html`<button class="quiet" type="button" ?disabled=${Boolean(this.busy)} @click=${this.snapshot}>${icons.snapshot}<span>${w.snapshot}</span></button>` : nothing}
      ${state.alarm ? html`<p class="problem">${words.alarm.short}</p>` : nothing}
      ${this.outcome()}
    </article>`;
  }
}

/** glance says how a camera is, in a word for the style and one for people. */
export function glance(state) {
  if (state.link !== 'online') return [state.link === 'connecting' ? 'waiting' : 'off', words.stage.links[state.link]];
  if (state.privacy) return ['private', words.stage.private];
  return ['ready', w.ready];
}

customElements.define('camd-card', Card);
customElements.define('camd-cameras', Cameras);

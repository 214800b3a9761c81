// The whole page: which screen is shown, and what stands above all of them.
import { workerURL } from '../core/worker.js';
import { html, nothing } from 'lit';
import './add.js';
import { wide } from './camera.js';
import './cameras.js';
import './key.js';
import './setup.js';
import './welcome.js';
import { icons } from './icons.js';
import { parse, to } from './route.js';
import { View } from './view.js';
import { own, words } from './words.js';

const w = words.app;
const ringFor = 60_000; // milliseconds

class App extends View {
  static properties = { home: { attribute: false }, at: { state: true }, newer: { state: true }, ring: { state: true } };

  #moved = async () => {
    this.move();
    await this.updateComplete;
    this.querySelector('main')?.focus({ preventScroll: true }); // so that who can't see hears of the other screen
  };

  #heard = new WeakSet(); // cameras whose bell is listened for
  #ringing = 0;
  #awake = () => { if (!document.hidden) this.home?.wake(); };

  sources() { return [this.home, ...this.home?.cameras ?? []]; }

  connectedCallback() {
    super.connectedCallback();
    addEventListener('hashchange', this.#moved);
    addEventListener('online', this.#awake);
    document.addEventListener('visibilitychange', this.#awake);
    this.move();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener('hashchange', this.#moved);
    removeEventListener('online', this.#awake);
    document.removeEventListener('visibilitychange', this.#awake);
  }

  move() {
    const card = parse(location.hash).card;
    this.at = parse(location.hash);
    // A card must not stay in the address, where it would be kept and shown.
    if (card) history.replaceState(null, '', `${location.pathname}#/add`);
    scrollTo(0, 0);
    this.querySelector('.panel')?.scrollTo(0, 0); // on a desk it scrolls by itself
  }

  updated() {
    for (const camera of this.home?.cameras ?? []) {
      if (this.#heard.has(camera)) continue;
      this.#heard.add(camera);
      camera.addEventListener('entry', ({ detail }) => { if (detail.kind === 'ring') this.rings(camera); });
    }
  }

  // rings says that someone is at the door, for as long as a visitor may wait.
  rings(camera) {
    this.ring = camera;
    clearTimeout(this.#ringing);
    this.#ringing = setTimeout(() => { this.ring = undefined; }, ringFor);
  }

  // shown is where the page is: a household with one camera needs no list of it.
  shown() {
    const { at, home } = this;
    const camera = home.cameras.find((c) => c.device === at.device);
    if (at.device && camera) return { ...at, camera };
    if (at.screen !== 'home' && at.screen !== 'cameras' && !at.device) return at;
    if (home.cameras.length === 0) return { screen: 'welcome' };
    if (at.screen === 'home' && home.cameras.length === 1) return { screen: 'live', camera: home.cameras[0] };
    return { screen: 'cameras' };
  }

  render() {
    if (!this.home) return html`<main class="page narrow starting">${this.problem ? html`<h1>${w.failed}</h1>` : nothing}${this.outcome()}</main>`;
    const { screen, camera, argument, card } = this.shown();
    document.title = camera ? camera.state.name : w.name;
    return html`
      <a class="skip" href="#main" @click=${(e) => { e.preventDefault(); this.querySelector('main').focus(); }}>${w.skip}</a>
      ${this.header(screen, camera)}
      ${this.home.cameras.includes(this.ring) ? this.rung(this.ring, camera === this.ring && (screen === 'live' || wide.matches)) : nothing}
      ${this.home.cameras.filter((c) => c.state.alarm).map((c) => this.alarm(c, camera === c && screen === 'history'))}
      ${this.home.cameras.filter((c) => c.state.unanswered?.length > 0).map((c) => html`<p class="banner wait" role="status">${icons.warn}<span>${w.unanswered(c.state.name, c.state.unanswered.map((m) => m.name))}</span></p>`)}
      ${this.home.damaged.map((text) => html`<p class="banner wait" role="status">${icons.warn}<span>${text}</span></p>`)}
      ${this.newer ? html`<p class="banner wait" role="status"><span>${w.newer}</span><button class="quiet" type="button" @click=${() => location.reload()}>${w.reload}</button></p>` : nothing}
      <main id="main" tabindex="-1" data-screen=${screen}>${this.body(screen, camera, argument, card)}</main>`;
  }

  header(screen, camera) {
    const root = screen === 'cameras' || screen === 'welcome';
    const up = this.home.cameras.length === 0 ? '#/' : '#/cameras';
    return html`<header class="top">
      ${root ? html`<span class="brand">${icons.camera}</span>` : html`<a class="back" href=${up} aria-label=${w.back}>${icons.back}</a>`}
      ${camera ? html`<h1>${camera.state.name}</h1>` : html`<p class="title">${w.name}</p>`}
      ${camera?.state.role ? html`<span class="faint you">${own(words.people.roles, camera.state.role) ?? camera.state.role}</span>` : nothing}
    </header>`;
  }

  // rung says that someone rang. Who is looking already is not asked to look.
  rung({ device, state }, looking) {
    const close = () => { this.ring = undefined; };
    return html`<section class="banner ring" role="alert">${icons.bell}<span>${w.rang(state.name)}</span>
      ${looking ? nothing : html`<a class="button" href=${to(device, 'live')} @click=${close}>${w.answer}</a>`}<button type="button" aria-label=${w.dismiss} @click=${close}>${icons.close}</button></section>`;
  }

  alarm(camera, reading) {
    const { alarm, name } = camera.state;
    return html`<section class="banner bad" role="alert">${icons.warn}<div><h2>${words.alarm.title(name)}</h2><p>${alarm.sentence}</p><p>${words.alarm.what}</p>
      <div class="actions start">${reading ? nothing : html`<a class="button quiet" href=${to(camera.device, 'history')}>${words.alarm.look}</a>`}
      <button class="quiet" type="button" @click=${() => camera.acknowledge()}>${words.alarm.acknowledge}</button></div></div></section>`;
  }

  body(screen, camera, argument, card) {
    const { home } = this;
    switch (screen) {
      case 'welcome': return html`<camd-welcome .home=${home}></camd-welcome>`;
      case 'cameras': return html`<camd-cameras .home=${home}></camd-cameras>`;
      case 'add': return html`<camd-add .home=${home} .card=${card}></camd-add>`;
      case 'setup': return html`<camd-setup .home=${home}></camd-setup>`;
      case 'key': return html`<camd-key .home=${home}></camd-key>`;
    }
    return html`<camd-camera .camera=${camera} .home=${home} .screen=${screen} .argument=${argument}></camd-camera>`;
  }
}

customElements.define('camd-app', App);

/**
 * start draws the page for what open returns.
 * @param {() => Promise<import('../core/home.js').Home>} open
 */
export async function start(open) {
  const app = document.createElement('camd-app');
  document.body.append(app);
  const home = await app.attempt(w.opening, open);
  if (!home) return;
  app.home = home;
  await installWorker(() => { app.newer = true; });
}

// installWorker has the page start without a network. It tells when a newer page is there.
async function installWorker(newer) {
  if (!navigator.serviceWorker) return;
  const before = navigator.serviceWorker.controller; // none: this is the first
  try {
    const registration = await navigator.serviceWorker.register(workerURL);
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing;
      worker.addEventListener('statechange', () => {
        if (worker.state === 'activated' && before) newer();
      });
    });
  } catch { /* the page works without it, as long as its server is reached */ }
}

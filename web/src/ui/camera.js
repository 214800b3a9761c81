// One camera: the picture, what one does with it, and beside or below it the rest. On a desk the
// picture stays while one reads; on a phone the other screens take its place, and watching ends,
// since nobody should watch a camera without looking.
import { html, nothing } from 'lit';
import './controls.js';
import './invite.js';
import './people.js';
import './settings.js';
import './stage.js';
import './update.js';
import { forget } from './forget.js';
import { entry } from './history.js';
import { icons } from './icons.js';
import { Reading } from './reading.js';
import { tabs, to } from './route.js';
import { whoEnds } from './household.js';
import { story } from './story.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.camera;

/** wide matches where the picture stays beside everything else. */
export const wide = matchMedia('(min-width: 62rem)');

const tabIcons = { live: icons.camera, people: icons.people, history: icons.clock, settings: icons.gear };
const parents = { invite: 'people', member: 'people', update: 'settings' };

class CameraScreen extends View {
  static properties = {
    camera: { attribute: false }, home: { attribute: false }, screen: {}, argument: {},
    session: { state: true }, talk: { state: true }, sound: { state: true }, recent: { state: true }, ends: { state: true },
  };

  #resized = () => this.requestUpdate();

  constructor() {
    super();
    new Reading(this, () => this.#read(), { quiet: true, entries: true }); // the picture says why it could not
  }

  sources() { return [this.camera]; }

  connectedCallback() {
    super.connectedCallback();
    wide.addEventListener('change', this.#resized);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    wide.removeEventListener('change', this.#resized);
  }

  async #read() {
    const { entries } = await this.camera.log({ count: 24 });
    this.recent = story(entries).toReversed().slice(0, 8);
    if (this.ends === 'someone') await this.#whoEnds(); // it could not be asked before
  }

  willUpdate(changed) {
    super.willUpdate(changed);
    const { privacy, link } = this.camera.state;
    if (privacy && link === 'online' && !this.ends) this.#whoEnds();
    if (!privacy) this.ends = undefined; // it may be another one the next time
    if (privacy !== this.was?.privacy || link !== this.was?.link) this.problem = ''; // what failed before may work now
    this.was = { privacy, link };
  }

  async #whoEnds() {
    this.ends = 'someone';
    try {
      this.ends = await whoEnds(this.camera);
    } catch { /* then nothing is offered */ }
  }

  render() {
    const withPicture = wide.matches || this.screen === 'live';
    return html`<div class="camera" data-screen=${this.screen}>
      ${withPicture ? this.picture() : nothing}
      <div class="side">
        ${this.navigation()}
        <div class="panel" role="region" aria-label=${w.tabs[parents[this.screen] ?? this.screen]} tabindex=${wide.matches ? 0 : nothing}>${this.panel()}</div>
      </div>
    </div>`;
  }

  picture() {
    return html`<section class="live" aria-label=${w.live}>
      <camd-stage .camera=${this.camera} .home=${this.home} .talk=${this.talk} .ends=${this.ends} .sound=${Boolean(this.sound)}
        @session=${({ detail }) => { this.session = detail; if (!detail) this.talk = undefined; }}></camd-stage>
      ${this.camera.state.removed ? nothing : html`<camd-controls .camera=${this.camera} .session=${this.session} .sound=${Boolean(this.sound)} .stage=${() => this.querySelector('camd-stage')}
        @sound=${({ detail }) => { this.sound = detail; }} @talk=${({ detail }) => { this.talk = detail; }}></camd-controls>`}
    </section>`;
  }

  navigation() {
    const current = parents[this.screen] ?? this.screen;
    return html`<nav class="tabs" aria-label=${w.navigation}>${tabs.map((tab) => html`
      <a href=${to(this.camera.device, tab)} aria-current=${tab === current ? 'page' : nothing}>${tabIcons[tab]}<span>${w.tabs[tab]}</span></a>`)}
    </nav>`;
  }

  // panel keeps what it shows while the camera is away: someone may be typing there. Who was removed
  // sees no more of the household.
  panel() {
    const { link, removed, sentence } = this.camera.state;
    const over = removed && !['live', 'settings', 'invite'].includes(this.screen);
    return html`${this.screen === 'live' || link === 'online' ? nothing : html`<p class=${link === 'connecting' ? 'faint' : 'warning'} role="status">
        ${link === 'connecting' ? nothing : icons.warn}<span>${sentence} ${link !== 'connecting' && !removed ? w.old : nothing}</span></p>`}
      ${over ? html`<button class="danger" type="button" @click=${() => forget(this, this.home, this.camera)}>${icons.leave}<span>${words.forget.button}</span></button>` : this.content()}`;
  }

  content() {
    const { camera, home, argument } = this;
    switch (this.screen) {
      case 'people': return html`<camd-people .camera=${camera} .home=${home}></camd-people>`;
      case 'member': return html`<camd-member .camera=${camera} .home=${home} .client=${argument}></camd-member>`;
      case 'invite': return html`<camd-invite .camera=${camera} .home=${home}></camd-invite>`;
      case 'history': return html`<camd-history .camera=${camera}></camd-history>`;
      case 'settings': return html`<camd-settings .camera=${camera} .home=${home}></camd-settings>`;
      case 'update': return html`<camd-update .camera=${camera}></camd-update>`;
    }
    return this.now();
  }

  now() {
    const { state } = this.camera;
    if (state.removed) return nothing; // the picture's place says why
    return html`
      ${this.privacy(state)}
      <section><h2>${w.recent}</h2>
        ${this.recent?.length > 0 ? html`<ul class="entries">${this.recent.map((e) => entry(e, state.timeZone, { dated: true }))}</ul>
          <a class="more" href=${to(this.camera.device, 'history')}>${w.allHistory}${icons.next}</a>` : html`<p class="faint">${this.recent ? w.quiet : state.link === 'online' ? w.reading : w.unread}</p>`}
      </section>
      ${this.conditions(state)}`;
  }

  privacy(state) {
    const blocked = state.privacy && this.ends !== 'you';
    return html`<section class="switchrow">
      <div><h2 id="privacylabel">${w.privacy}</h2><p class="faint" id="privacyhelp">${blocked ? words.stage.privateWhy[this.ends] : state.privacy ? w.privacyOn : w.privacyOff}</p></div>
      <button class="switch" type="button" role="switch" aria-checked=${Boolean(state.privacy)} aria-labelledby="privacylabel" aria-describedby="privacyhelp"
        ?disabled=${state.link !== 'online' || blocked || Boolean(this.busy)}
        @click=${() => this.attempt(state.privacy ? w.endingPrivacy : w.startingPrivacy, () => this.camera.privacy(!state.privacy))}></button>
      ${this.outcome()}
    </section>`;
  }

  // conditions says what of the camera does not work.
  conditions({ conditions = [] }) {
    const wrong = conditions.filter((c) => c.state === 'degraded' || c.state === 'failed');
    if (wrong.length === 0) return nothing;
    return html`<section><h2>${w.conditions}</h2><ul class="entries">${wrong.map((c) => html`<li class="warning">${icons.warn}<span>${c.reason}</span></li>`)}</ul></section>`;
  }
}

customElements.define('camd-camera', CameraScreen);

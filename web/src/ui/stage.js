// The picture, and what one glance at it tells: that it is live, that this person is heard,
// who watches, or why there is no picture.
import { html, nothing } from 'lit';
import { forget } from './forget.js';
import { icons } from './icons.js';
import { to } from './route.js';
import { sentence, View } from './view.js';
import { own, words } from './words.js';

const w = words.stage;
const firstPause = 1000, longestPause = 20_000;

const ratios = new Map(); // of cameras whose picture was seen, so that nothing jumps the next time

const ratioOf = (device) => ratios.get(device) ?? 16 / 9;

const wishes = new Map(); // by camera: the stream of pictures that was asked for last

/**
 * Stage watches its camera as long as it is in the document. It tells its parent about each
 * session by the event `session`.
 */
export class Stage extends View {
  static properties = {
    camera: { attribute: false },
    home: { attribute: false },
    talk: { attribute: false },
    ends: {}, // who can end privacy mode: household.js
    sound: { type: Boolean },
    session: { state: true },
    reason: { state: true }, // why there is no picture
    first: { state: true },  // the first picture was seen
  };

  #pause = firstPause;
  #timer = 0;
  #asked = 0; // counts what was asked for, so that an answer to what nobody wants any more is dropped
  #wake = () => this.wake();
  #leave = () => this.stop();

  sources() { return [this.camera, this.session, this.talk]; }

  connectedCallback() {
    super.connectedCallback();
    document.addEventListener('visibilitychange', this.#wake);
    addEventListener('online', this.#wake);
    addEventListener('pagehide', this.#leave);
    addEventListener('pageshow', this.#wake);
    this.start();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener('visibilitychange', this.#wake);
    removeEventListener('online', this.#wake);
    removeEventListener('pagehide', this.#leave);
    removeEventListener('pageshow', this.#wake);
    this.stop();
  }

  // wake asks at once where there is a reason to think that it works now.
  wake() {
    if (document.hidden || this.session || this.busy) return;
    this.#pause = firstPause;
    this.start();
  }

  willUpdate(changed) {
    super.willUpdate(changed);
    const { privacy, link } = this.camera.state;
    if (changed.get('camera')) { // the same one, reached in another way: its session is over
      this.stop();
      this.was = undefined;
      queueMicrotask(() => this.start());
    }
    if (this.was?.privacy && !privacy || this.was && this.was.link !== 'online' && link === 'online') queueMicrotask(this.#wake);
    if (this.was && this.was.privacy !== privacy) this.problem = ''; // it was about what is over
    this.was = { privacy, link };
    if (this.session && this.session.state === 'ended') this.ended(this.session.sentence);
  }

  updated() {
    const video = this.video();
    const stream = this.session?.stream ?? null;
    if (video.srcObject !== stream) {
      video.srcObject = stream;
      if (stream) this.seen(this.session);
    }
    if (video.muted === this.sound) video.muted = !this.sound;
    this.style.setProperty('--ratio', String(ratioOf(this.camera.device)));
  }

  // seen follows each picture that is shown.
  seen(session) {
    this.video().requestVideoFrameCallback((_, metadata) => {
      if (this.session !== session) return;
      this.first = true;
      session.shown(metadata);
      this.seen(session);
    });
  }

  video() { return this.querySelector('video'); }

  async start() {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    this.reason = '';
    if (this.camera.state.privacy) return;
    this.busy = w.asking;
    try {
      const session = await this.camera.watch({ video: 'auto', wish: wishes.get(this.camera.device) });
      if (asked !== this.#asked) {
        session.bye();
        return;
      }
      this.show(session);
    } catch (error) {
      if (asked === this.#asked) this.later(sentence(error));
    } finally {
      if (asked === this.#asked) this.busy = '';
    }
  }

  show(session) {
    this.session = session;
    this.first = false;
    this.#pause = firstPause;
    this.dispatchEvent(new CustomEvent('session', { detail: session }));
  }

  // ended takes the picture away: an old one must not pass for a live one.
  ended(why) {
    this.stop();
    this.later(why || w.ended);
  }

  // later says why there is no picture, and asks again after a pause that grows.
  later(why) {
    this.reason = why;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { if (!document.hidden) this.start(); }, this.#pause);
    this.#pause = Math.min(2 * this.#pause, longestPause);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asked++;
    const { session } = this;
    this.session = undefined;
    this.first = false;
    if (!session) return;
    wishes.set(this.camera.device, session.wish);
    session.bye();
    this.dispatchEvent(new CustomEvent('session', { detail: undefined }));
  }

  resized() {
    const { videoWidth, videoHeight } = this.video();
    if (!videoWidth) return;
    ratios.set(this.camera.device, videoWidth / videoHeight);
    this.requestUpdate();
  }

  // soundOnly reports whether this person may hear the camera only.
  soundOnly() { return this.session?.state === 'live' && !this.session.scopes.includes('view'); }

  // condition is what the glance tells: one word for the style, and its text.
  condition() {
    const { state } = this.camera;
    const talking = this.talk?.state;
    if (state.privacy) return ['private', w.private];
    if (talking === 'live' && this.first) return ['talking', w.talking];
    if (this.soundOnly()) return ['live', w.soundOnly];
    if (this.session && this.first) return this.session.state === 'stalled' ? ['waiting', w.stalled] : ['live', w.live];
    if (state.link === 'offline' || state.link === 'refused') return ['off', w.links[state.link]];
    return this.reason ? ['off', w.none] : ['waiting', w.connecting];
  }

  render() {
    const [kind, text] = this.condition();
    const sent = streamText(this.session?.streamState);
    const bright = kind === 'live' && !this.soundOnly() || kind === 'talking' || kind === 'waiting' && this.first;
    return html`
      <figure class="frame" data-state=${kind} ?data-bright=${bright}>
        <video autoplay muted playsinline aria-label=${w.picture(this.camera.state.name)} @resize=${this.resized}></video>
        ${bright ? nothing : this.why()}
        <figcaption>
          <span class="chip" data-state=${kind} role="status"><span class="dot" aria-hidden="true"></span>${text}</span>
          ${this.camera.state.link === 'online' ? html`<span class="chip watchers">${icons.eye}<span>${watchers(this.camera.state, this.session)}</span></span>` : nothing}
          <span class="sent" role="status">${bright && sent ? html`<span class="chip">${sent}</span>` : nothing}</span>
        </figcaption>
        ${this.spoken()}
      </figure>`;
  }

  // spoken is what the picture says while this person talks, or is about to.
  spoken() {
    const state = this.talk?.state;
    if (!['asking', 'announcing', 'live'].includes(state)) return nothing;
    return html`<p class="spoken" data-state=${state}>${icons.mic}<strong>${words.talk[state]}</strong><span>${words.talk[`${state}More`]}</span></p>`;
  }

  why() {
    const { state } = this.camera;
    if (state.privacy) return this.panel(icons.eyeOff, w.privateTitle, w.privateWhy[this.ends] ?? '', this.endPrivacy());
    if (this.soundOnly()) return this.panel(icons.sound, w.soundOnly, w.soundOnlyWhy, nothing);
    if (this.reason || state.link === 'offline' || state.link === 'refused') {
      return this.panel(icons.offline, state.link === 'refused' ? w.links.refused : w.none, state.sentence || this.reason, this.again()); // how the camera is reached now says more than an answer of before
    }
    return html`<div class="why"><p class="busy"><span class="spinner" aria-hidden="true"></span>${w.connectingWhy}</p></div>`;
  }

  panel(icon, title, text, action) {
    return html`<div class="why">${icon}<h2>${title}</h2><p>${text}</p>${action}
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}</div>`;
  }

  // again offers the one thing that may help.
  again() {
    const { removed, needsAddress } = this.camera.state;
    if (needsAddress) return html`<a class="quiet button" href=${to(this.camera.device, 'settings')}>${w.address}</a>`;
    if (removed) return html`<button class="quiet" type="button" @click=${() => forget(this, this.home, this.camera)}>${words.forget.button}</button>`;
    return html`<button class="quiet" type="button" @click=${this.tryAgain}>${w.again}</button>`;
  }

  tryAgain() {
    this.#pause = firstPause;
    this.camera.wake();
    this.start();
  }

  // endPrivacy offers what ends privacy mode, to who can end it from here.
  endPrivacy() {
    if (this.ends !== 'you') return nothing;
    return html`<button class="primary" type="button" ?disabled=${Boolean(this.busy)}
      @click=${() => this.attempt(w.endingPrivacy, () => this.camera.privacy(false))}>${w.endPrivacy}</button>`;
  }
}

// streamText says why less than the full picture is shown; it is empty if that is not so.
function streamText({ stream, why, skips } = {}) {
  if (skips) return w.skips;
  return stream === 'low' ? own(w.small, why) ?? w.small.path : '';
}

/** watchers says who watches, this person included: the camera may not have told of its session yet. */
export function watchers({ watching = [] }, session) {
  const others = [...new Set(watching.filter((s) => !s.own).map((s) => s.name || words.someone))];
  const self = Boolean(session) || watching.some((s) => s.own);
  if (others.length === 0) return self ? w.onlyYou : w.nobody;
  return self ? w.youAnd(others) : w.others(others);
}

customElements.define('camd-stage', Stage);

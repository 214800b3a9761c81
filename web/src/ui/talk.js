// The talk button. Hold it and speak; a short press keeps it on until the next one, for those
// who can't hold. What it says is what is so: asked, being announced in the room, heard.
import { html, nothing } from 'lit';
import { openMicrophone } from '../core/talk.js';
import { icons } from './icons.js';
import { note, sentence, View } from './view.js';
import { words } from './words.js';

const w = words.talk;
const shortPress = 400; // milliseconds
const underWay = ['asking', 'announcing', 'live'];

/** TalkButton tells its parent about each talk by the event `talk`. */
export class TalkButton extends View {
  static properties = { session: { attribute: false }, camera: { attribute: false }, talk: { state: true }, kept: { state: true }, said: { state: true }, refused: { state: true } };

  #pressed; // when, while it is
  #wanted = false; // a talk is wanted; it may not be there yet
  #key = (event) => this.key(event);

  sources() { return [this.camera, this.talk]; }

  willUpdate(changed) {
    super.willUpdate(changed);
    if (changed.has('session') && this.session) this.say(''); // what was said is of an earlier one
  }

  // say shows a sentence about a talk until the next one, or until its person closes it.
  say(text, refused = false) { [this.said, this.refused] = [text, refused]; }

  connectedCallback() {
    super.connectedCallback();
    for (const kind of ['keydown', 'keyup']) document.addEventListener(kind, this.#key);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const kind of ['keydown', 'keyup']) document.removeEventListener(kind, this.#key);
    this.end();
  }

  // key has the space bar be the button, wherever nothing else takes it.
  key(event) {
    if (event.key !== ' ' || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (at !== document.body && at.id !== 'main' && !this.contains(at) && !at.closest?.('camd-stage')) return;
    event.preventDefault();
    if (event.type === 'keyup') this.release();
    else if (!event.repeat) this.press();
  }

  pressPointer(event) {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    this.press();
  }

  // clicked is by Enter or by assistive technology: pointers have their own events.
  clicked(event) {
    if (event.detail !== 0) return;
    if (this.#wanted) this.end();
    else {
      this.kept = true;
      this.begin();
    }
  }

  press() {
    if (this.kept) {
      this.end();
      return;
    }
    this.#pressed = performance.now();
    this.begin();
  }

  release() {
    if (this.#pressed === undefined) return;
    const held = performance.now() - this.#pressed;
    this.#pressed = undefined;
    if (held < shortPress) this.kept = this.#wanted;
    else this.end();
  }

  async begin() {
    if (this.#wanted || !this.session) return;
    this.#wanted = true;
    this.say('');
    try {
      if (await mayPrompt()) {
        // The browser's question takes the finger off the button: nobody is announced by it.
        for (const track of (await openMicrophone()).getTracks()) track.stop();
        this.#wanted = this.kept = false;
        this.say(w.allowed);
        return;
      }
      if (this.#wanted) this.follow(this.session.talk());
    } catch (error) {
      this.#wanted = this.kept = false;
      this.say(sentence(error), true);
    }
  }

  follow(talk) {
    this.talk = talk;
    this.dispatchEvent(new CustomEvent('talk', { detail: talk, bubbles: true }));
    const change = () => {
      if (underWay.includes(talk.state)) return;
      talk.removeEventListener('change', change);
      if (this.talk !== talk) return;
      if (this.#wanted) this.say(talk.sentence || w.ended, true);
      this.#wanted = this.kept = false;
    };
    talk.addEventListener('change', change);
    change();
  }

  end() {
    this.#wanted = this.kept = false;
    this.#pressed = undefined;
    if (underWay.includes(this.talk?.state)) this.talk.end();
  }

  // why says why one can't talk now; nothing: one can.
  why() {
    const { state } = this.camera;
    if (state.scopes && !state.scopes.includes('talk')) return w.noScope; // until the camera has said so, nobody is told to ask for it
    if (state.privacy) return w.inPrivacy;
    if (!this.session) return w.noSession;
    return '';
  }

  render() {
    const state = underWay.includes(this.talk?.state) ? this.talk.state : 'idle';
    const why = this.why();
    return html`
      <button id="talk" class="talk" type="button" data-state=${state} aria-pressed=${state !== 'idle'} aria-describedby="talknote" ?disabled=${why !== ''}
        @pointerdown=${this.pressPointer} @pointerup=${this.release} @pointercancel=${this.end} @click=${this.clicked} @contextmenu=${(e) => e.preventDefault()}>
        ${icons.mic}<span class="label">${w.button[state === 'idle' || !this.kept ? state : 'kept']}</span>
      </button>
      ${this.line(state, why)}`;
  }

  // line says why one can't talk, or what came of the last talk. What is so during one, the picture shows.
  line(state, why) {
    if (why || !this.said) return note(why || (state === 'idle' ? nothing : html`<span class="unseen">${w[state]}. ${w[`${state}More`]}</span>`), { id: 'talknote' });
    return note(this.said, { id: 'talknote', bad: this.refused, close: () => this.say('') });
  }
}

// mayPrompt reports whether the browser will ask before it opens the microphone.
async function mayPrompt() {
  try {
    return (await navigator.permissions.query({ name: 'microphone' })).state === 'prompt';
  } catch {
    return false; // it doesn't tell
  }
}

customElements.define('camd-talk', TalkButton);

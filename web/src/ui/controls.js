// What one does with the picture: sound, saving it, recording, picture in picture, full screen, and
// for who asks for them which stream it is, and the numbers of the connection.
import { html, nothing } from 'lit';
import './talk.js';
import { icons } from './icons.js';
import { named, save } from './files.js';
import { largest, record } from './recording.js';
import { note, View } from './view.js';
import { words } from './words.js';

const w = words.controls;
const megabytes = largest / 1e6;
const doneFor = 10_000; // milliseconds for which it is said that something was done

/** Controls belong to a stage: `stage` returns it. */
export class Controls extends View {
  static properties = {
    camera: { attribute: false }, session: { attribute: false }, stage: { attribute: false },
    sound: { type: Boolean }, more: { state: true }, numbers: { state: true }, recording: { state: true }, note: { state: true },
  };

  #timer = 0;
  #doneTimer = 0;

  sources() { return [this.camera, this.session]; }

  willUpdate(changed) {
    super.willUpdate(changed);
    if (!changed.has('session')) return;
    this.problem = ''; // it was about the session before
    if (this.session) return;
    this.numbers = undefined; // they were true; they are not any more
    this.endRecording();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#timer);
    clearTimeout(this.#doneTimer);
    this.endRecording();
  }

  // done says for a while that something was done.
  done(text) {
    this.note = text;
    clearTimeout(this.#doneTimer);
    this.#doneTimer = setTimeout(() => { if (this.note === text) this.note = ''; }, doneFor);
  }

  video() { return this.stage().video(); }

  setSound(on) { this.dispatchEvent(new CustomEvent('sound', { detail: on })); }

  savePicture() {
    return this.attempt('', async () => {
      save(await frame(this.video()), named(this.camera.state.name, 'jpg'));
      this.done(w.saved);
    });
  }

  record() {
    if (this.recording) {
      this.endRecording();
      return;
    }
    this.problem = '';
    const { name } = this.camera.state;
    const recording = record(new MediaStream(this.session.stream.getTracks()), (file, full) => {
      save(file, named(name, file.type.startsWith('video/mp4') ? 'mp4' : 'webm'));
      if (full) this.note = w.recordedFull(megabytes);
      else this.done(w.recorded);
      if (this.recording === recording) this.recording = undefined;
    });
    this.recording = recording;
    if (recording) this.note = w.recording(megabytes);
    else this.problem = w.noRecorder;
  }

  endRecording() {
    this.recording?.stop();
    this.recording = undefined;
  }

  inPicture() {
    return this.attempt('', async () => {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.video().requestPictureInPicture();
    });
  }

  full() {
    return this.attempt('', async () => {
      if (document.fullscreenElement) await document.exitFullscreen();
      else if (this.stage().requestFullscreen) await this.stage().requestFullscreen();
      else this.video().webkitEnterFullscreen(); // phones by Apple: the picture alone
    });
  }

  toggleMore() {
    this.more = !this.more;
    clearInterval(this.#timer);
    if (!this.more) return;
    this.measure();
    this.#timer = setInterval(() => this.measure(), 1000);
  }

  async measure() { this.numbers = await this.session?.stats(); }

  render() {
    const off = !this.session, { scopes = [] } = this.camera.state;
    const noPicture = !this.session?.scopes.includes('view');
    const text = this.problem || this.note;
    return html`
      <div class="controls">
        ${scopes.includes('listen') ? this.button(this.sound ? icons.sound : icons.soundOff, w.sound, () => this.setSound(!this.sound), off, this.sound) : nothing}
        ${this.button(icons.savePicture, w.savePicture, this.savePicture, noPicture)}
        <camd-talk .camera=${this.camera} .session=${this.session}></camd-talk>
        ${this.button(icons.full, w.full, this.full, off)}
        ${this.button(icons.more, this.recording ? w.moreRecording : w.more, this.toggleMore, off, Boolean(this.more && !off), 'more')}
      </div>
      ${this.more && !off ? this.drawer() : nothing}
      ${text ? note(text, { bad: Boolean(this.problem), close: this.recording ? undefined : () => { this.problem = this.note = ''; } }) : nothing}`;
  }

  button(icon, label, action, disabled, pressed, controls) {
    return html`<button class="tool" type="button" ?disabled=${disabled} @click=${action}
      aria-pressed=${pressed ?? nothing} aria-expanded=${controls ? String(pressed) : nothing}>${icon}<span>${label}</span></button>`;
  }

  drawer() {
    return html`<div class="drawer">
      <div class="controls small">
        ${this.button(this.recording ? icons.stop : icons.record, this.recording ? w.stopRecording : w.record, this.record, false, Boolean(this.recording))}
        ${document.pictureInPictureEnabled ? this.button(icons.pip, w.pip, this.inPicture) : nothing}
      </div>
      ${this.streams()}
      <h2>${w.numbers}</h2>
      <dl class="numbers">${Object.entries(w.values).map(([name, [label, format]]) => html`
        <div><dt>${label}</dt><dd>${this.numbers?.[name] === undefined ? '–' : format(this.numbers[name], this.numbers)}</dd></div>`)}
      </dl>
    </div>`;
  }

  // streams offers the camera's streams of pictures, once the camera has said which one it sends.
  streams() {
    const { session } = this;
    if (!session?.streamState) return nothing;
    if (session.streamState.why === 'no_other') return html`<h2>${w.stream}</h2><p class="faint">${w.oneStream}</p>`;
    return html`<fieldset class="segments"><legend>${w.stream}</legend>${Object.entries(w.streams).map(([wish, label]) => html`
      <label><input type="radio" name="stream" .checked=${session.wish === wish} @change=${() => this.attempt('', () => session.choose(wish))}><span>${label}</span></label>`)}
      <p class="faint">${w.streamsHelp}</p></fieldset>`;
  }
}

// frame returns what a video shows now, as JPEG.
async function frame(video) {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  return new Promise((done, fail) => {
    canvas.toBlob((blob) => (blob ? done(blob) : fail(Object.assign(new Error(w.noFrame), { name: 'Problem' }))), 'image/jpeg', 0.92);
  });
}

customElements.define('camd-controls', Controls);

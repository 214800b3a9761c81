// What one does with the picture: sound, snapshot, recording, picture in picture, full screen,
// and the numbers of the connection for who asks for them.
import { html, nothing } from 'lit';
import './talk.js';
import { icons } from './icons.js';
import { named, save } from './files.js';
import { largest, record } from './recording.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.controls;
const megabytes = largest / 1e6;

/** Controls belong to a stage: `stage` returns it. */
export class Controls extends View {
  static properties = {
    camera: { attribute: false }, session: { attribute: false }, stage: { attribute: false },
    sound: { type: Boolean }, more: { state: true }, numbers: { state: true }, recording: { state: true }, note: { state: true },
  };

  #timer = 0;

  sources() { return [this.camera, this.session]; }

  willUpdate(changed) {
    super.willUpdate(changed);
    if (!changed.has('session') || this.session) return;
    this.numbers = undefined; // they were true; they are not any more
    this.endRecording();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#timer);
    this.endRecording();
  }

  video() { return this.stage().video(); }

  setSound(on) { this.dispatchEvent(new CustomEvent('sound', { detail: on })); }

  // snapshot keeps the picture that is seen. Without one it asks the camera, which tells the household.
  snapshot() {
    return this.attempt(w.taking, async () => {
      const blob = this.session ? await frame(this.video()) : await this.camera.snapshot();
      save(blob, named(this.camera.state.name, blob.type === 'video/mp4' ? 'mp4' : 'jpg'));
      this.note = w.saved;
    });
  }

  record() {
    if (this.recording) {
      this.endRecording();
      return;
    }
    const { name } = this.camera.state;
    const recording = record(new MediaStream(this.session.stream.getTracks()), (file, full) => {
      save(file, named(name, file.type.startsWith('video/mp4') ? 'mp4' : 'webm'));
      this.note = full ? w.recordedFull(megabytes) : w.recorded;
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
    return html`
      <div class="controls">
        ${scopes.includes('listen') ? this.button(this.sound ? icons.sound : icons.soundOff, w.sound, () => this.setSound(!this.sound), off, this.sound) : nothing}
        ${this.button(icons.snapshot, w.snapshot, this.snapshot, off && (!scopes.includes('snapshot') || this.camera.state.privacy || this.camera.state.link !== 'online'))}
        <camd-talk .camera=${this.camera} .session=${this.session}></camd-talk>
        ${this.button(icons.full, w.full, this.full, off)}
        ${this.button(icons.more, this.recording ? w.moreRecording : w.more, this.toggleMore, false, Boolean(this.more), 'more')}
      </div>
      ${this.more ? this.drawer(off) : nothing}
      ${this.note || this.busy || this.problem ? html`<p class="note" role="status">${this.problem || this.busy || this.note}</p>` : nothing}`;
  }

  button(icon, label, action, disabled, pressed, controls) {
    return html`<button class="tool" type="button" ?disabled=${disabled} @click=${action}
      aria-pressed=${pressed ?? nothing} aria-expanded=${controls ? String(pressed) : nothing}>${icon}<span>${label}</span></button>`;
  }

  drawer(off) {
    return html`<div class="drawer">
      <div class="controls small">
        ${this.button(this.recording ? icons.stop : icons.record, this.recording ? w.stopRecording : w.record, this.record, off, Boolean(this.recording))}
        ${document.pictureInPictureEnabled ? this.button(icons.pip, w.pip, this.inPicture, off) : nothing}
      </div>
      <h2>${w.numbers}</h2>
      <dl class="numbers">${Object.entries(w.values).map(([name, [label, format]]) => html`
        <div><dt>${label}</dt><dd>${this.numbers?.[name] === undefined || off ? '–' : format(this.numbers[name], this.numbers)}</dd></div>`)}
      </dl>
    </div>`;
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

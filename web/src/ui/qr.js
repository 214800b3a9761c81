// QR codes: shown for others to scan, and scanned where the browser can.
import { html, nothing } from 'lit';
import { correction, generate } from 'lean-qr';
import { Collector, parts } from './parts.js';
import { View } from './view.js';
import { own, words } from './words.js';

const w = words.qr;
const partTime = 400; // milliseconds, as in docs/protocol.md 3.12.5

/** Code draws a text as QR codes: dark on light in both themes, since not every reader takes the opposite. */
class Code extends View {
  #timer = 0;

  static properties = { text: {}, label: {} };

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  updated(changed) {
    if (!changed.has('text')) return;
    const codes = parts(this.text).map((p) => generate(p, { minCorrectionLevel: correction.L }));
    const canvas = this.querySelector('canvas');
    let next = 0;
    const draw = () => codes[next++ % codes.length].toCanvas(canvas, { on: [0, 0, 0, 255], off: [255, 255, 255, 255], pad: 4 });
    draw();
    clearInterval(this.#timer);
    if (codes.length > 1) this.#timer = setInterval(draw, partTime);
  }

  render() { return html`<canvas class="qr" role="img" aria-label=${this.label}></canvas>`; }
}

/** canScan reports whether this browser reads QR codes. */
export const canScan = () => 'BarcodeDetector' in globalThis && Boolean(navigator.mediaDevices);

/** Scan shows what this device's own lens sees, and tells its parent each text by the event `text`. */
class Scan extends View {
  #stream;

  static properties = { open: { state: true }, note: { state: true } };

  disconnectedCallback() {
    super.disconnectedCallback();
    this.close();
  }

  close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
    this.open = false;
  }

  start() {
    return this.attempt(w.opening, async () => {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }).catch((cause) => {
        throw Object.assign(new Error(own(w.failed, cause.name) ?? w.failed.other, { cause }), { name: 'Problem' });
      });
      if (!this.isConnected) return this.close(); // its person went elsewhere before the browser's question was answered
      this.open = true;
      this.note = w.hold;
      await this.updateComplete;
      const video = this.querySelector('video');
      video.srcObject = this.#stream;
      await video.play();
      this.look(video, new BarcodeDetector({ formats: ['qr_code'] }));
    });
  }

  async look(video, detector) {
    const collector = new Collector();
    while (this.open) {
      const [code] = await detector.detect(video).catch(() => []);
      const text = code && collector.add(code.rawValue);
      if (text && this.open) {
        this.close();
        this.dispatchEvent(new CustomEvent('text', { detail: text }));
        return;
      }
      if (collector.have > 0) this.note = w.parts(collector.have, collector.count);
      await new Promise((done) => { video.requestVideoFrameCallback(done); });
    }
  }

  render() {
    if (!canScan()) return nothing;
    return html`<div class="scan">
      ${this.open ? html`<video muted playsinline aria-label=${w.lens}></video><p class="faint" role="status">${this.note}</p>` : nothing}
      <button class="quiet" type="button" @click=${() => (this.open ? this.close() : this.start())}>${this.open ? words.cancel : w.scan}</button>
      ${this.outcome()}</div>`;
  }
}

customElements.define('camd-qr', Code);
customElements.define('camd-scan', Scan);

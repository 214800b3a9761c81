// Pictures of what to do at the camera. The text beside each says the same.
import { html } from 'lit';
import { View } from './view.js';

const pictures = {
  // The back of a camera with its label: a QR code, and the text below it.
  label: html`<svg viewBox="0 0 120 120" aria-hidden="true">
    <rect class="body" x="18" y="10" width="84" height="100" rx="20"></rect>
    <rect class="paper" x="36" y="32" width="48" height="60" rx="5"></rect>
    <path class="ink" d="M43 39h12v12H43zM65 39h12v12H65zM43 61h12v12H43zM47 43h4v4h-4zM69 43h4v4h-4zM47 65h4v4h-4zM61 57h4v4h-4zM67 57h4v4h-4zM61 65h4v8h-4zM69 63h8v4h-8zM73 69h4v4h-4zM57 39h4v6h-4zM57 49h4v4h-4z" fill-rule="evenodd"></path>
    <path class="line" d="M43 80h34M43 85h24"></path>
    <rect class="mark" x="30" y="26" width="60" height="72" rx="9"></rect></svg>`,
  // The side of a camera with a finger on its button, and the light that blinks.
  button: html`<svg viewBox="0 0 120 120" aria-hidden="true">
    <rect class="body" x="14" y="22" width="62" height="82" rx="18"></rect>
    <circle class="lens" cx="45" cy="52" r="16"></circle><circle class="glass" cx="45" cy="52" r="7"></circle>
    <circle class="lamp" cx="45" cy="84" r="4"></circle><path class="mark" d="M35 84a10 10 0 0 1 3-7M55 84a10 10 0 0 0-3-7"></path>
    <rect class="knob" x="74" y="56" width="7" height="18" rx="3.5"></rect>
    <path class="hand" d="M84 65c0-4 3-6 6-6h22v30H98c-4 0-6-3-8-6l-5-11c-1-2-1-4-1-7z"></path></svg>`,
  // A phone whose screen is held before the lens.
  lens: html`<svg viewBox="0 0 120 120" aria-hidden="true">
    <rect class="body" x="8" y="30" width="46" height="60" rx="15"></rect>
    <circle class="lens" cx="31" cy="54" r="12"></circle><circle class="glass" cx="31" cy="54" r="5"></circle>
    <path class="mark" d="M58 50l16-8M58 60h16M58 70l16 8"></path>
    <rect class="paper" x="78" y="28" width="34" height="64" rx="7"></rect>
    <path class="ink" d="M85 46h8v8h-8zM97 46h8v8h-8zM85 58h8v8h-8zM97 58h3v3h-3zM102 63h3v3h-3zM97 63h3v3h-3z"></path></svg>`,
};

class Picture extends View {
  static properties = { name: {} };

  render() { return pictures[this.name]; }
}

customElements.define('camd-picture', Picture);

// Icons: drawn with the text's colour, hidden from screen readers, because each stands beside
// words or in a control that has a label.
import { html, svg } from 'lit';

const icon = (...parts) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${parts}</svg>`;
const path = (d) => svg`<path d=${d}></path>`;
const dot = (x, y, r) => svg`<circle class="solid" cx=${x} cy=${y} r=${r}></circle>`;
const ring = (x, y, r) => svg`<circle cx=${x} cy=${y} r=${r}></circle>`;
const box = (x, y, w, h, r) => svg`<rect x=${x} y=${y} width=${w} height=${h} rx=${r}></rect>`;

export const icons = {
  back: icon(path('M15 5l-7 7 7 7')),
  next: icon(path('M9 5l7 7-7 7')),
  camera: icon(box(3, 6, 12, 12, 3), path('M15 10.5l6-3.5v10l-6-3.5')),
  eye: icon(path('M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z'), ring(12, 12, 2.8)),
  eyeOff: icon(path('M4 4l16 16M9.5 5.9A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-3 3.7M6.3 7.4A16 16 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 4.2-1')),
  mic: icon(box(9, 3, 6, 11, 3), path('M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3')),
  sound: icon(path('M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11')),
  soundOff: icon(path('M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5')),
  snapshot: icon(path('M4 8.5h3.2L9 6h6l1.8 2.5H20v10H4z'), ring(12, 13, 3.2)),
  savePicture: icon(box(3.5, 3.5, 17, 11.5, 2.5), path('M7 12l3.2-3.2 2.6 2.6 1.7-1.7 2.3 2.3M12 15v6M9.3 18.5L12 21.2l2.7-2.7')),
  record: icon(ring(12, 12, 8.5), dot(12, 12, 4)),
  stop: icon(ring(12, 12, 8.5), svg`<rect class="solid" x="9" y="9" width="6" height="6" rx="1"></rect>`),
  pip: icon(box(3, 5, 18, 14, 2.5), svg`<rect class="solid" x="12" y="11.5" width="6.5" height="5" rx="1"></rect>`),
  full: icon(path('M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5')),
  chart: icon(path('M4 20V10M10 20V4M16 20v-7M21 20H3')),
  more: icon(dot(5.5, 12, 1.7), dot(12, 12, 1.7), dot(18.5, 12, 1.7)),
  people: icon(ring(9, 8.5, 3.5), path('M2.5 19.5c.6-3.6 3-5.5 6.5-5.5s5.9 1.9 6.5 5.5M15.5 5.3a3.5 3.5 0 0 1 0 6.4M17.5 14.5c2.3.6 3.6 2.3 4 5')),
  clock: icon(ring(12, 12, 8.5), path('M12 7v5.3l3.5 2')),
  gear: icon(path('M4 7h9M17.5 7H20M4 17h2.5M11 17h9'), ring(15, 7, 2.5), ring(8.5, 17, 2.5)),
  update: icon(path('M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14')),
  shield: icon(path('M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6z')),
  verified: icon(path('M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6zM8.5 12l2.5 2.5 4.5-5')),
  lock: icon(box(5, 11, 14, 9, 2.5), path('M8.5 11V8a3.5 3.5 0 0 1 7 0v3')),
  plus: icon(path('M12 5v14M5 12h14')),
  qr: icon(box(4, 4, 6, 6, 1), box(14, 4, 6, 6, 1), box(4, 14, 6, 6, 1), path('M14 14h2.5v2.5M20 14v6h-6M17 20v-2')),
  link: icon(path('M10 14a4 4 0 0 0 5.7 0l3.3-3.3a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0L5 13.3A4 4 0 0 0 10.7 19l1.3-1.3')),
  file: icon(path('M6 3h8l4 4v14H6zM14 3v4h4')),
  check: icon(path('M5 12.5l4.5 4.5L19 7.5')),
  close: icon(path('M6 6l12 12M18 6L6 18')),
  warn: icon(path('M12 4l9 16H3zM12 10v4.5'), dot(12, 17.3, 1)),
  bell: icon(path('M6 17v-6a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 21h4')),
  key: icon(ring(8, 15.5, 4), path('M11 12.5L19.5 4M16 7.5l3 3M14 9.5l1.5 1.5')),
  bluetooth: icon(path('M7 7.5l10 9-5 4.5V3l5 4.5-10 9')),
  offline: icon(path('M4 4l16 16M2.5 9.5A14 14 0 0 1 7 6.7M11 5.6a14 14 0 0 1 10.5 3.9M5.8 13a9 9 0 0 1 3.5-2.2M14.5 10.9a9 9 0 0 1 3.7 2.1M9 16.3a4.5 4.5 0 0 1 6 0'), dot(12, 19.5, 1)),
  leave: icon(path('M10 4H5v16h5M14 8l4 4-4 4M18 12H9')),
};

// The access log: what happened by the day, the newest first, and whether it is proved.
import { html, nothing } from 'lit';
import { icons } from './icons.js';
import { Reading } from './reading.js';
import { during, olderThan, story } from './story.js';
import { clock, day } from './time.js';
import { View } from './view.js';
import { own, words } from './words.js';

const w = words.history;
const page = 100; // entries

const iconOf = {
  live: icons.eye, talk: icons.mic, snapshot: icons.snapshot, ring: icons.bell,
  grant: icons.people, pair: icons.key, revoke: icons.leave, settings: icons.gear, privacy: icons.eyeOff, update: icons.update,
  refused: icons.lock, hostile: icons.warn, alarm: icons.warn, rollback: icons.warn, evict: icons.warn, reset: icons.warn,
};
const iconFor = ({ kind, op }) => own(iconOf, kind === 'end' || kind === 'merged' ? op : kind) ?? icons.clock;
const serious = new Set(['hostile', 'alarm', 'rollback', 'evict', 'reset']);

/**
 * entry draws one line of history; dated shows the day instead of the time, if it is not today.
 * extra stands below the sentence.
 */
export function entry(e, zone, { dated = false, extra = nothing } = {}) {
  const name = dated && e.time ? day(e.time, zone, undefined, true) : words.time.today;
  return html`<li class=${serious.has(e.kind) ? 'warning' : ''}>${iconFor(e)}<span>${during(e)}${extra}</span>
    ${e.time ? html`<time datetime=${e.time.toISOString()}>${name === words.time.today ? clock(e.time, zone) : name}</time>` : nothing}</li>`;
}

class History extends View {
  static properties = { camera: { attribute: false }, entries: { state: true }, log: { state: true }, begin: { state: true }, pictures: { state: true } };

  #rings = []; // that the camera keeps

  constructor() {
    super();
    this.pictures = new Map(); // addresses of those that were asked for, by the number of the entry
    new Reading(this, () => this.newest(), { what: w.reading, entries: true });
  }

  sources() { return [this.camera]; }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const url of this.pictures.values()) URL.revokeObjectURL(url);
    this.pictures = new Map();
  }

  async newest() {
    if (this.camera.state.scopes?.includes('events')) this.#rings = await this.camera.events().catch(() => []);
    const log = await this.camera.log({ count: page });
    const older = olderThan(log, this.entries, this.log);
    if (older.length === 0) this.begin = log.begin;
    this.entries = [...older, ...log.entries];
    this.log = log;
  }

  older() {
    return this.attempt(w.reading, async () => {
      const { entries, begin } = await this.camera.log({ before: this.begin, count: page });
      const [first] = this.entries;
      this.entries = [...entries.filter((e) => !(e.n >= first?.n)), ...this.entries];
      this.begin = begin;
    });
  }

  show(ring) {
    return this.attempt(w.fetching, async () => {
      const blob = await this.camera.eventPicture(ring);
      this.pictures = new Map(this.pictures).set(ring.n, URL.createObjectURL(blob));
    });
  }

  // picture draws who rang, once someone wants to see it.
  picture(e) {
    const ring = e.kind === 'ring' && this.#rings.find((r) => r.n === e.n && r.picture);
    if (!ring) return nothing;
    const url = this.pictures.get(e.n), text = w.pictureOf(clock(ring.time, this.camera.state.timeZone));
    if (!url) return html`<button class="quiet small" type="button" ?disabled=${Boolean(this.busy)} @click=${() => this.show(ring)}>${w.picture}</button>`;
    return ring.picture === 'video/mp4' ? html`<video class="kept" src=${url} muted playsinline preload="auto" aria-label=${text}></video>` : html`<img class="kept" src=${url} alt=${text}>`;
  }

  render() {
    const { log, entries = [] } = this;
    const { timeZone } = this.camera.state;
    const lines = story(entries).toReversed(), shown = log?.complete ? w.shown(lines.length, entries.length, log.size) : '';
    const days = Object.entries(Object.groupBy(lines, (e) => (e.time ? day(e.time, timeZone) : w.noTime)));
    return html`
      <h2>${w.title}</h2>
      ${log ? html`<p class=${log.verified ? 'good' : 'problem'}>${log.verified ? icons.verified : icons.warn}<span>${log.sentence}</span></p>` : nothing}
      ${shown ? html`<p class="faint">${shown}</p>` : nothing}
      ${log && !log.complete ? html`<p class="faint">${w.partly}</p>` : nothing}
      ${this.outcome()}
      ${days.map(([name, list]) => html`<section class="day"><h3>${name}</h3><ul class="entries">${list.map((e) => entry(e, timeZone, { extra: this.picture(e) }))}</ul></section>`)}
      ${log && entries.length === 0 && !this.begin ? html`<p class="faint">${w.empty}</p>` : nothing}
      ${this.begin > 0 ? html`<button class="quiet" type="button" ?disabled=${Boolean(this.busy)} @click=${this.older}>${w.older}</button>` : nothing}`;
  }
}

customElements.define('camd-history', History);

// The access log: what happened by the day, the newest first, and whether it is proved.
import { html, nothing } from 'lit';
import { icons } from './icons.js';
import { story } from './story.js';
import { clock, day, lasted } from './time.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.history;
const page = 100;

const iconOf = {
  live: icons.eye, end: icons.eye, merged: icons.eye, talk: icons.mic, snapshot: icons.snapshot, ring: icons.bell,
  grant: icons.people, pair: icons.key, revoke: icons.leave, settings: icons.gear, privacy: icons.eyeOff, update: icons.update,
  refused: icons.lock, hostile: icons.warn, alarm: icons.warn, rollback: icons.warn, evict: icons.warn, reset: icons.warn,
};
const serious = new Set(['hostile', 'alarm', 'rollback', 'evict', 'reset']);

/** entry draws one line of history; dated shows the day instead of the time, if it is not today. */
export function entry(e, zone, dated = false) {
  const name = dated && e.time ? day(e.time, zone, undefined, true) : words.time.today;
  return html`<li class=${serious.has(e.kind) ? 'warning' : ''}>${iconOf[e.kind] ?? icons.clock}<span>${e.sentence}${e.time && e.until && e.kind !== 'snapshot' ? html` <span class="faint">${lasted(e.until - e.time)}</span>` : nothing}</span>
    ${e.time ? html`<time datetime=${e.time.toISOString()}>${name === words.time.today ? clock(e.time, zone) : name}</time>` : nothing}</li>`;
}

class History extends View {
  static properties = { camera: { attribute: false }, entries: { state: true }, log: { state: true } };

  #seen = () => this.newest();

  sources() { return [this.camera]; }

  connectedCallback() {
    super.connectedCallback();
    this.camera.addEventListener('entry', this.#seen);
    this.newest();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.camera.removeEventListener('entry', this.#seen);
  }

  newest() {
    return this.attempt(w.reading, async () => {
      this.log = await this.camera.log({ count: page });
      const first = this.log.entries[0]?.n ?? 0;
      this.entries = [...(this.entries ?? []).filter((e) => e.n < first), ...this.log.entries];
    });
  }

  older() {
    return this.attempt(w.reading, async () => {
      const first = this.entries[0].n;
      const { entries } = await this.camera.log({ from: Math.max(0, first - page), count: Math.min(page, first) });
      this.entries = [...entries.filter((e) => e.n < first), ...this.entries];
    });
  }

  render() {
    const { log, entries = [] } = this;
    const { timeZone } = this.camera.state;
    const days = Object.entries(Object.groupBy(story(entries).toReversed(), (e) => (e.time ? day(e.time, timeZone) : w.noTime)));
    return html`
      <h2>${w.title}</h2>
      ${log ? html`<p class=${log.verified ? 'good' : 'problem'}>${log.verified ? icons.verified : icons.warn}<span>${log.sentence}</span></p>` : nothing}
      ${log && !log.complete ? html`<p class="faint">${w.partly}</p>` : nothing}
      ${this.outcome()}
      ${days.map(([name, list]) => html`<section class="day"><h3>${name}</h3><ul class="entries">${list.map((e) => entry(e, timeZone))}</ul></section>`)}
      ${log && entries.length === 0 ? html`<p class="faint">${w.empty}</p>` : nothing}
      ${entries[0]?.n > 0 ? html`<button class="quiet" type="button" ?disabled=${Boolean(this.busy)} @click=${this.older}>${w.older}</button>` : nothing}`;
  }
}

customElements.define('camd-history', History);

// Weekly hours as a table: a day a row. Tells its parent each change by the event `weekly`
// (`change` would be that of the boxes, too), with the hours as docs/protocol.md 5.8 writes them; empty is always.
import { html, nothing } from 'lit';
import { days, read, write } from './hours.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.schedule;
const usual = { from: '08:00', to: '18:00' };
const none = () => days.map(() => null);

class Schedule extends View {
  static properties = { weekly: {}, rows: { state: true } };

  #told; // what the parent knows: null if that is incomplete

  // rows are what is shown: they may be incomplete, and then the parent is told null.
  willUpdate(changed) {
    super.willUpdate(changed);
    if (!changed.has('weekly') || this.weekly === this.#told) return;
    this.#told = this.weekly;
    if (this.weekly) this.rows = read(this.weekly) ?? none();
    else this.rows = this.weekly === null ? none() : undefined; // incomplete ones, of a table of before: not always
  }

  tell(rows) {
    this.rows = rows;
    this.#told = !rows ? '' : incomplete(rows) ? null : write(rows);
    this.dispatchEvent(new CustomEvent('weekly', { detail: this.#told }));
  }

  set(day, value) { this.tell(this.rows.with(day, value)); }

  render() {
    const { rows } = this;
    return html`<fieldset class="schedule"><legend>${w.title}</legend>
      <label><input type="checkbox" .checked=${Boolean(rows)} @change=${(e) => this.tell(e.target.checked ? days.map((_, i) => (i < 5 ? usual : null)) : undefined)}><span>${w.limited}</span></label>
      ${rows ? html`
        ${this.weekly && !read(this.weekly) ? html`<p class="faint">${w.complex(this.weekly)}</p>` : nothing}
        <table><thead><tr><th scope="col">${w.day}</th><th scope="col">${w.from}</th><th scope="col">${w.to}</th></tr></thead>
        <tbody>${rows.map((v, i) => this.row(v, i))}</tbody></table>
        <p class="problem" role="alert">${this.#told === null ? w.incomplete : nothing}</p>
        <p class="faint">${w.help}</p>` : nothing}
    </fieldset>`;
  }

  row(v, i) {
    const name = words.rights.longDays[i], short = words.rights.days[i];
    const time = (end) => html`<td>${v ? html`<input type="time" aria-label=${w.times[end](name)} .value=${v[end] === '24:00' ? '00:00' : v[end]}
      @change=${(e) => this.set(i, { ...this.rows[i], [end]: e.target.value })}>` : html`<span class="faint">–</span>`}</td>`;
    return html`<tr><th scope="row"><label><input type="checkbox" aria-label=${name} .checked=${Boolean(v)} @change=${(e) => this.set(i, e.target.checked ? usual : null)}><span aria-hidden="true">${short}</span></label></th>
      ${time('from')}${time('to')}</tr>`;
  }
}

// incomplete reports whether rows name no hours: without a day, without a time, or with a start that is the end.
const incomplete = (rows) => !rows.some(Boolean) || rows.some((v) => v && (!v.from || !v.to || v.from === v.to));

customElements.define('camd-schedule', Schedule);

// Weekly hours as a table: a day a row. Tells its parent each change by the event `weekly`
// (`change` would be that of the boxes, too), with the hours as docs/protocol.md 5.8 writes them; empty is always.
import { html, nothing } from 'lit';
import { days, read, write } from './hours.js';
import { View } from './view.js';
import { words } from './words.js';

const w = words.schedule;
const usual = { from: '08:00', to: '18:00' };

class Schedule extends View {
  static properties = { weekly: {}, none: {} };

  get table() { return read(this.weekly || '') ?? days.map(() => null); }

  tell(weekly) {
    this.weekly = weekly;
    this.dispatchEvent(new CustomEvent('weekly', { detail: weekly }));
  }

  set(day, value) {
    const { table } = this;
    table[day] = value;
    // The same start and end would be a window of no length.
    if (!value || value.from && value.to && value.from !== value.to) this.tell(write(table));
  }

  render() {
    const limited = Boolean(this.weekly), { table } = this;
    return html`<fieldset class="schedule"><legend>${w.title}</legend>
      <label><input type="checkbox" .checked=${limited} @change=${(e) => this.tell(e.target.checked ? write(days.map((_, i) => (i < 5 ? usual : null))) : '')}><span>${w.limited}</span></label>
      ${limited ? html`
        ${read(this.weekly) ? nothing : html`<p class="faint">${w.complex(this.weekly)}</p>`}
        <table><thead><tr><th scope="col">${w.day}</th><th scope="col">${w.from}</th><th scope="col">${w.to}</th></tr></thead>
        <tbody>${table.map((v, i) => this.row(v, i))}</tbody></table>
        <p class="faint">${w.help}</p>` : nothing}
    </fieldset>`;
  }

  row(v, i) {
    const name = words.rights.longDays[i], short = words.rights.days[i];
    const time = (end) => html`<td>${v ? html`<input type="time" aria-label=${w.times[end](name)} .value=${v[end] === '24:00' ? '00:00' : v[end]}
      @change=${(e) => this.set(i, { ...v, [end]: e.target.value })}>` : html`<span class="faint">–</span>`}</td>`;
    return html`<tr><th scope="row"><label><input type="checkbox" aria-label=${name} .checked=${Boolean(v)} @change=${(e) => this.set(i, e.target.checked ? usual : null)}><span aria-hidden="true">${short}</span></label></th>
      ${time('from')}${time('to')}</tr>`;
  }
}

customElements.define('camd-schedule', Schedule);

// The household: who is a member, what each may do, and taking that away again.
import { html, nothing } from 'lit';
import './schedule.js';
import { ask } from './dialog.js';
import { mayRevoke } from './household.js';
import { icons } from './icons.js';
import { handCard } from './invite.js';
import { Reading } from './reading.js';
import { rightsOf, whenOf } from './rights.js';
import { rights } from './rightsform.js';
import { to } from './route.js';
import { when } from './time.js';
import { View } from './view.js';
import { own, words } from './words.js';

const w = words.people;

class People extends View {
  static properties = { camera: { attribute: false }, home: { attribute: false } };

  constructor() {
    super();
    new Reading(this, () => this.camera.members()); // they are in the camera's state afterwards, and are kept there as they are now
  }

  sources() { return [this.camera]; }

  render() {
    const { state } = this.camera;
    return html`
      <div class="titlerow"><h2>${w.title}</h2>
        ${state.scopes?.includes('members') ? html`<a class="primary button" href=${to(this.camera.device, 'invite')}>${icons.plus}<span>${w.invite}</span></a>` : nothing}</div>
      ${this.outcome()}
      ${state.members ? html`<ul class="rows">${state.members.map((m) => this.row(m, state))}</ul>` : this.problem ? nothing : html`<p class="faint">${w.reading}</p>`}
      <a class="more keylink" href="#/key">${icons.key}<span>${words.cameras.key}</span>${icons.next}</a>`;
  }

  row(m, { members, watching = [], timeZone }) {
    const parent = m.parent && (members.find((p) => p.client === m.parent)?.name ?? words.someone);
    return html`<li><a class="row" href=${to(this.camera.device, 'member', m.client)}>
      <span class="avatar" aria-hidden="true">${initial(m.name)}</span>
      <span class="text"><span><strong>${m.name}</strong>${m.own ? html` <span class="faint">${w.you}</span>` : nothing}
          ${watching.some((v) => v.client === m.client) ? html`<span class="chip" data-state="live"><span class="dot" aria-hidden="true"></span>${w.watching}</span>` : nothing}</span>
        <span class="faint">${own(w.roles, m.role) ?? m.role}${parent ? ` · ${w.guestOf(parent)}` : ''} · ${rightsOf(m)}</span>
        ${whenOf(m, timeZone).map((line) => html`<span class="faint">${line}</span>`)}
        ${m.standing === 'ok' ? nothing : html`<span class="warning">${own(w.standings, m.standing) ?? m.sentence}</span>`}</span>
      ${icons.next}</a></li>`;
  }
}

const initial = (name) => (Array.from(name || '?')[0]).toUpperCase();

class Member extends View {
  static properties = { camera: { attribute: false }, home: { attribute: false }, client: {}, card: { state: true }, note: { state: true }, members: { state: true }, member: { state: true }, draft: { state: true }, done: { state: true } };

  #reading = new Reading(this, () => this.read());

  sources() { return [this.camera]; }

  willUpdate(changed) {
    super.willUpdate(changed);
    if (!changed.get('client')) return;
    this.card = this.member = this.draft = undefined; // they are of another member
    this.#reading.now();
  }

  // read keeps what was chosen and is not saved yet, unless it was saved just now.
  async read(saved = false) {
    this.members = await this.camera.members();
    this.member = this.members.find((m) => m.client === this.client);
    this.key = this.member && await this.camera.keyOf(this.client);
    if (saved || !this.draft || !this.member) this.draft = this.member && { scopes: [...this.member.scopes], weekly: this.member.weekly };
    if (!this.member) this.problem = w.gone;
  }

  save() {
    return this.attempt(w.saving, async () => {
      const { role, name, from, until } = this.member;
      await this.camera.grant(this.key, { name, role, from, until, ...this.draft });
      this.done = w.saved;
      await this.read(true);
    });
  }

  // again makes the camera card anew, for who has lost it.
  again() {
    return this.attempt(w.makingCard, async () => { this.card = await this.camera.cardFor(this.client); });
  }

  async revoke() {
    const { member, camera } = this;
    const guests = await this.attempt(w.looking, () => camera.wouldFall(member.client));
    if (!guests) return;
    const kept = guests.length > 0 && !member.own;
    const answer = await ask({
      title: member.own ? w.leaveTitle(camera.state.name) : w.removeTitle(member.name),
      text: [member.own ? w.leaveText : w.removeText(member.name), guests.length > 0 ? w.fall(guests.map((g) => g.name)) : w.fallNobody],
      option: kept ? w.keepGuests(guests.length) : undefined,
      yes: member.own ? w.leave : w.remove,
      danger: true,
    });
    if (!answer) return;
    const gone = await this.attempt(w.removing, async () => {
      await camera.revoke(member.client, { keepGuests: answer.option });
      return true;
    });
    if (gone) location.hash = to(camera.device, 'people');
  }

  render() {
    const { member } = this;
    return html`
      <a class="more up" href=${to(this.camera.device, 'people')}>${icons.back}<span>${w.title}</span></a>
      ${member ? this.details(member) : html`${this.problem ? nothing : html`<p class="faint">${w.reading}</p>`}${this.outcome()}`}`;
  }

  // said stands above the buttons: below the last one it would be under a phone's tab bar.
  said() { return html`${this.outcome()}${this.done ? html`<p class="good" role="status">${icons.check}${this.done}</p>` : nothing}`; }

  details(m) {
    const { state } = this.camera;
    const revocable = mayRevoke(this.members, m), editable = revocable && !m.own && m.role !== 'owner' && state.scopes?.includes('members');
    return html`
      <h2>${m.name}${m.own ? html` <span class="faint">${w.you}</span>` : nothing}</h2>
      <p class="faint">${own(w.roles, m.role) ?? m.role}. ${m.by ? w.addedBy(m.by, when(m.added, state.timeZone)) : w.paired(when(m.added, state.timeZone))}</p>
      <p class="sixwords"><span class="faint">${w.words}</span> ${m.words}</p>
      ${editable && this.key && this.draft ? html`
        ${rights(this.draft.scopes, m.role, state.scopes, (scopes) => { this.draft = { ...this.draft, scopes }; this.done = ''; })}
        <camd-schedule .weekly=${this.draft.weekly} @weekly=${({ detail }) => { this.draft = { ...this.draft, weekly: detail }; this.done = ''; }}></camd-schedule>
        ${this.said()}
        <button class="primary" type="button" ?disabled=${Boolean(this.busy) || this.draft.scopes.length === 0} @click=${this.save}>${w.save}</button>` : html`
        <p>${rightsOf(m)}.</p>${whenOf(m, state.timeZone).map((line) => html`<p>${line}</p>`)}
        ${editable ? html`<p class="faint">${w.noKey} <a href=${to(this.camera.device, 'invite')}>${w.askKey}</a></p>` : nothing}
        ${this.said()}`}
      ${this.card ? handCard(this, this.card, m.name) : this.key && !m.own ? html`<button class="quiet" type="button" ?disabled=${Boolean(this.busy)} @click=${this.again}>${icons.link}<span>${w.makeCard}</span></button>` : nothing}
      ${revocable ? html`<button class="danger" type="button" ?disabled=${Boolean(this.busy)} @click=${this.revoke}>${icons.leave}<span>${m.own ? w.leave : w.removeOne(m.name)}</span></button>` : nothing}`;
  }
}

customElements.define('camd-people', People);
customElements.define('camd-member', Member);

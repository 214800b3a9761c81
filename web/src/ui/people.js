// The household: who is a member, what each may do, and taking that away again.
import { html, nothing } from 'lit';
import './schedule.js';
import { ask } from './dialog.js';
import { mayRevoke, mayUse } from './household.js';
import { icons } from './icons.js';
import { handCard } from './invite.js';
import { loginFields, noLogin } from './login.js';
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
        ${mayUse(state, 'members') ? html`<a class="primary button" href=${to(this.camera.device, 'invite')}>${icons.plus}<span>${w.invite}</span></a>` : nothing}</div>
      ${this.outcome()}
      ${state.members ? html`<ul class="rows">${state.members.map((m) => this.row(m, state))}</ul>` : this.problem ? nothing : html`<p class="faint">${w.reading}</p>`}
      <a class="more keylink" href="#/key">${icons.key}<span>${words.cameras.key}</span>${icons.next}</a>`;
  }

  row(m, { members, watching = [], timeZone, link }) {
    const parent = m.parent && (members.find((p) => p.client === m.parent)?.name ?? words.someone);
    return html`<li><a class="row" href=${to(this.camera.device, 'member', m.client)}>
      <span class="avatar" aria-hidden="true">${initial(m.name)}</span>
      <span class="text"><span><strong>${m.name}</strong>${m.own ? html` <span class="faint">${w.you}</span>` : nothing}
          ${link === 'online' && watching.some((v) => v.client === m.client) ? html`<span class="chip" data-state="live"><span class="dot" aria-hidden="true"></span>${w.watching}</span>` : nothing}</span>
        <span class="faint">${own(w.roles, m.role) ?? m.role}${parent ? ` · ${w.guestOf(parent)}` : ''} · ${rightsOf(m)}</span>
        ${whenOf(m, timeZone).map((line) => html`<span class="faint">${line}</span>`)}
        ${m.standing === 'ok' ? nothing : html`<span class="warning">${own(w.standings, m.standing) ?? m.sentence}</span>`}</span>
      ${icons.next}</a></li>`;
  }
}

// stateOf is what can be changed of a member, to compare.
const stateOf = ({ scopes, weekly }) => JSON.stringify([scopes, weekly]);

const initial = (name) => (Array.from(name || '?')[0]).toUpperCase();

class Member extends View {
  static properties = { camera: { attribute: false }, home: { attribute: false }, client: {}, key: { state: true }, card: { state: true }, note: { state: true }, draft: { state: true }, login: { state: true }, done: { state: true } };

  #reading = new Reading(this, () => this.read());

  constructor() {
    super();
    this.login = noLogin;
  }

  sources() { return [this.camera]; }

  willUpdate(changed) {
    super.willUpdate(changed);
    if (!changed.get('client')) return;
    this.key = this.card = this.draft = undefined; // they are of another member
    this.login = noLogin;
    this.done = this.note = '';
    this.#reading.now();
  }

  // member is as the camera told of it last: others change it, too.
  get member() { return this.camera.state.members?.find((m) => m.client === this.client); }

  async read() {
    await this.camera.members(); // they are in its state afterwards
    this.key = this.member && await this.camera.keyOf(this.client);
  }

  // choose keeps what is chosen until it is saved, and what it was chosen instead of.
  choose(part) {
    const { scopes, weekly } = this.member;
    this.draft = { scopes, weekly, of: stateOf(this.member), ...this.draft, ...part };
    this.done = '';
  }

  save() {
    return this.attempt(w.saving, async () => {
      const { role, name, from, until } = this.member, { scopes, weekly } = this.draft ?? this.member;
      await this.camera.grant(this.key, { name, role, from, until, scopes, weekly });
      try {
        await this.camera.members();
      } finally {
        this.draft = undefined; // it is done, whether that is seen or not
      }
      this.done = w.saved;
    });
  }

  // again makes the camera card anew, for who has lost it.
  again() {
    const { login } = this;
    return this.attempt(w.makingCard, async () => {
      this.card = await this.camera.cardFor(this.client, login.user ? login : undefined);
      this.note = ''; // it was about the command for a login
    });
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
    const { member } = this, gone = this.camera.state.members && !member;
    return html`
      <a class="more up" href=${to(this.camera.device, 'people')}>${icons.back}<span>${w.title}</span></a>
      ${member ? this.details(member) : html`<p class=${gone ? 'problem' : 'faint'}>${gone ? w.gone : this.problem ? nothing : w.reading}</p>${this.outcome()}`}`;
  }

  // said stands above the buttons: below the last one it would be under a phone's tab bar.
  said() { return html`${this.outcome()}${this.done ? html`<p class="good" role="status">${icons.check}${this.done}</p>` : nothing}`; }

  details(m) {
    const { state } = this.camera;
    const { scopes, weekly } = this.draft ?? m, complete = scopes.length > 0 && weekly !== null;
    const revocable = mayRevoke(state.members, m), editable = revocable && !m.own && m.role !== 'owner' && mayUse(state, 'members');
    return html`
      <h2>${m.name}${m.own ? html` <span class="faint">${w.you}</span>` : nothing}</h2>
      <p class="faint">${own(w.roles, m.role) ?? m.role}. ${m.by ? w.addedBy(m.by, when(m.added, state.timeZone)) : w.paired(when(m.added, state.timeZone))}</p>
      <p class="sixwords"><span class="faint">${w.words}</span> ${m.words}</p>
      ${editable && this.key ? html`
        ${rights(scopes, m.role, state, (scopes) => this.choose({ scopes }))}
        <camd-schedule .weekly=${weekly} @weekly=${({ detail }) => this.choose({ weekly: detail })}></camd-schedule>
        ${this.draft && !this.busy && this.draft.of !== stateOf(m) ? html`<p class="warning" role="status">${icons.warn}<span>${w.changed}</span></p>` : nothing}
        ${this.said()}
        <button class="primary" type="button" ?disabled=${Boolean(this.busy) || !complete} @click=${this.save}>${w.save}</button>` : html`
        <p>${rightsOf(m)}.</p>${whenOf(m, state.timeZone).map((line) => html`<p>${line}</p>`)}
        ${editable ? html`<p class="faint">${w.noKey} <a href=${to(this.camera.device, 'invite')}>${w.askKey}</a></p>` : nothing}
        ${this.said()}`}
      ${this.card ? html`<h3>${words.invite.cardFor(m.name)}</h3>${handCard(this, this.card, m.name)}` : this.key && !m.own ? html`
        ${this.home.logins ? nothing : loginFields(this, { device: this.camera.device, key: this.key, login: this.login, change: (login) => { this.login = login; } })}
        <button class="quiet" type="button" ?disabled=${Boolean(this.busy)} @click=${this.again}>${icons.link}<span>${w.makeCard}</span></button>` : nothing}
      ${revocable ? html`<button class="danger" type="button" ?disabled=${Boolean(this.busy)} @click=${this.revoke}>${icons.leave}<span>${m.own ? w.leave : w.removeOne(m.name)}</span></button>` : nothing}`;
  }
}

customElements.define('camd-people', People);
customElements.define('camd-member', Member);

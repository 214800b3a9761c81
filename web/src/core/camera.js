// A camera of this household: how it stands, and all that its people ask of it.
import { line, Problem } from '../../setup/problem.js';
import { makeCard } from './card.js';
import { ofMilliseconds, ofSeconds } from './dates.js';
import { tell } from './history.js';
import { readKey, readKeyCard, words } from './keys.js';
import { nameOf } from './name.js';
import { Peer } from './peer.js';
import { fetchPicture, snapshot } from './pictures.js';
import { Records } from './records.js';
import { failure, refused, sentenceOf } from './refusal.js';
import { Session } from './session.js';
import { readUpdate } from './updates.js';

const pollEvery = 60000; // milliseconds
const settled = 1500;    // a camera tells of a change before it is made, and then makes it
const apart = 2000;      // between a session's beginning and its entry

// What to look at again after an entry of this kind.
const touched = {
  live: ['status'], talk: ['status'], end: ['status'], snapshot: [], ring: [], update: ['status'],
  settings: ['settings'], privacy: ['settings', 'status'], grant: ['members'], revoke: ['members', 'status'], pair: ['members'],
};
const everything = ['members', 'status', 'settings', 'events'];

const texts = (list) => (Array.isArray(list) ? list.filter((t) => typeof t === 'string').map(line) : []);
const text = (t) => (typeof t === 'string' ? line(t) : '');
const objects = (list) => (Array.isArray(list) ? list.filter((o) => typeof o === 'object' && o !== null) : []);

/**
 * Camera fires 'change' when state changed, and 'entry' with { n, kind, time, sentence } in
 * its detail as soon as the camera tells of one: it was not compared with the log then.
 */
export class Camera extends EventTarget {
  #peer;
  #home;
  #records;
  #known = {}; // what the camera said
  #seen;       // the checkpoint up to which its person has seen the household: docs/protocol.md 5.1 step 14
  #wanted = new Set();
  #looking = false;
  #poll;

  /**
   * @param {Peer} peer
   * @param {{keys: object, store: object, login: (client: string) => Promise<object>, servers: () => Promise<RTCIceServer[]>}} home
   */
  constructor(peer, home) {
    super();
    this.#peer = peer;
    this.#home = home;
    this.#records = this.#reader();
    this.device = peer.trio.deviceId;
    const changed = () => this.#changed();
    for (const kind of ['change', 'alarm']) peer.addEventListener(kind, changed);
    peer.addEventListener('acknowledged', () => this.#believe());
    for (const kind of ['up', 'missed']) peer.addEventListener(kind, () => this.#look(everything));
    peer.addEventListener('notice', ({ detail }) => this.#notice(detail));
    this.#poll = setInterval(() => { if (peer.broker.up) this.#look(['status']); }, pollEvery);
  }

  /** @returns {import('./types.js').CameraState} */
  get state() {
    const { record, ledger } = this.#peer;
    const { alarm } = ledger;
    const name = this.#known.name || nameOf(record);
    return {
      member: record.member, role: record.role, needsAddress: this.#peer.broker.code === 'no_address', ...this.#known, ...this.#peer.link, name, unanswered: this.#peer.unanswered,
      alarm: alarm && { ...alarm, sentence: ledger.alarmSentence(name) },
    };
  }

  close() {
    clearInterval(this.#poll);
    this.#peer.close();
  }

  /** wake tries at once to reach the camera, for a reason to think that it works now. */
  wake() { this.#peer.broker.wake(); }

  #reader() { return new Records(this.#peer, () => this.#known.timeZone); }

  #changed() { this.dispatchEvent(new Event('change')); }

  #notice({ n, entry }) {
    const time = ofMilliseconds(entry.t);
    if (entry.k === 'ring' && time && !(n < this.#known.lastEvent?.n)) this.#known.lastEvent = { n, time, picture: false };
    const parts = Object.hasOwn(touched, entry.k) ? touched[entry.k] : ['status'];
    if (entry.k === 'live') this.#came(entry, time);
    else this.#look(parts);
    if (parts.length > 0) setTimeout(() => this.#look(parts), settled);
    this.#changed();
    this.dispatchEvent(new CustomEvent('entry', { detail: { n, kind: entry.k, time, sentence: tell(entry, this.#known.timeZone) } }));
  }

  // came adds who begins to watch at once: what the camera says of its status may take long to come.
  #came({ who, name, sc }, since = new Date()) {
    const { watching = [] } = this.#known;
    if (watching.some((w) => w.client === who && Math.abs(w.since - since) < apart)) return;
    this.#known.watching = [...watching, { client: text(who), name: text(name), scopes: texts(sc), since, own: who === this.#peer.own }];
  }

  // look asks for parts of how the camera stands, each once however often it is wanted.
  async #look(parts) {
    for (const part of parts) this.#wanted.add(part);
    if (this.#looking) return;
    this.#looking = true;
    for (const part of this.#wanted) {
      this.#wanted.delete(part);
      await this.#lookAt(part).catch(() => {}); // link says why, or it is not this member's to see
    }
    this.#looking = false;
  }

  async #lookAt(part) {
    switch (part) {
      case 'status': return this.#status((await this.#peer.call('status')).body);
      case 'settings': return this.settings();
      case 'members': return this.members();
      default: return this.#may('events') ? this.events() : undefined;
    }
  }

  #may(scope) { return this.#known.scopes?.includes(scope) === true; }

  #status(s) {
    const watching = objects(s.sessions).map((w) => ({ client: text(w.client), name: text(w.name), scopes: texts(w.scopes), since: ofSeconds(w.since) ?? new Date(), own: w.client === this.#peer.own }));
    Object.assign(this.#known, {
      name: text(s.name) || this.#known.name, version: text(s.version), watching, talking: watching.find((w) => w.scopes.includes('talk'))?.name,
      conditions: objects(s.conditions).map((c) => ({ name: text(c.name), state: text(c.state), reason: text(c.reason) })),
      update: s.update ? readUpdate(s.update, this.#known.timeZone) : undefined,
    });
    this.#changed();
  }

  // list reads all pages of a list. What its person sees of the household is as of the first.
  async #list(op, field) {
    const all = [];
    let from = 0, seen;
    for (let pages = 0; pages < 200; pages++) {
      const { body, now } = await this.#peer.call(op, { from });
      seen ??= now;
      all.push(...objects(body[field]));
      if (!Number.isSafeInteger(body.next) || body.next <= from) break;
      from = body.next;
    }
    return { all, seen };
  }

  /** @returns {Promise<import('./types.js').Member[]>} */
  async members() {
    const { all, seen } = await this.#list('members', 'members');
    const list = [];
    for (const m of all) {
      const standing = text(m.standing);
      list.push({
        client: text(m.client), words: safeWords(m.client), name: text(m.name), role: text(m.role), scopes: texts(m.scopes), weekly: text(m.weekly),
        from: ofSeconds(m.nbf), until: ofSeconds(m.exp), parent: text(m.parent), by: text(m.by), added: ofSeconds(m.added) ?? new Date(0), standing,
        sentence: standing === 'ok' ? '' : sentenceOf(standing), watching: texts(m.watching), own: m.client === this.#peer.own,
      });
    }
    this.#seen = seen ?? this.#seen;
    this.#known.members = list;
    const self = list.find((m) => m.own);
    if (self) Object.assign(this.#known, { member: self.name, role: self.role, scopes: self.scopes, standing: self.standing });
    this.#changed();
    return list;
  }

  // change asks for what gives rights to someone: on the word of what its person has seen.
  async #change(op, body) {
    const { body: done, now } = await this.#peer.call(op, body, { seen: this.#seen }).catch((error) => {
      throw error.code === 'state_changed' && this.#peer.ledger.alarm ? failure('alarmed', error) : error; // to look again changes nothing
    });
    this.#seen = now ?? this.#seen; // nobody else changed anything up to here, or it would have been refused
    return done;
  }

  /**
   * grant adds the holder of a key as a member, or changes what a member may do.
   * @param {string} keyText as that person's page shows it
   * @param {import('./types.js').Grant} grant
   * @returns {Promise<{client: string}>}
   */
  async grant(keyText, { name, role, scopes, weekly, from, until }) {
    const key = await readKey(keyText);
    const seconds = (d) => (d ? Math.floor(d.getTime() / 1000) : undefined);
    await this.#change('grant', { card: key.card, name, role, scopes, weekly: weekly || undefined, nbf: seconds(from), exp: seconds(until) });
    await this.#home.store.update(this.#keyOf(key.name), () => key.card);
    this.#look(['members']);
    return { client: key.name };
  }

  #keyOf(client) { return `key/${this.device}/${client}`; }

  /** keyOf returns the key text of a member that this browser added; undefined if it did not. */
  async keyOf(client) {
    const card = await this.#home.store.get(this.#keyOf(client));
    return card && `CAMD-KEY:1?${card}`;
  }

  /**
   * cardFor makes the camera card of a member.
   * @param {string} who its key text, or its name as a client if this browser added it
   * @param {{user?: string, password?: string}} [login] at the broker; without it what the page's server gives
   * @returns {Promise<string>}
   */
  async cardFor(who, login) {
    const given = who.includes(':') ? (await readKey(who)).card : await this.#home.store.get(this.#keyOf(who));
    if (!given) throw new Problem('key', 'This browser does not have this member\'s key. Ask for it again, and paste it here.');
    const { name: client, encJwk } = await readKeyCard(given);
    const member = (await this.members()).find((m) => m.client === client);
    if (!member) throw new Problem('no_member', 'Whoever holds this key is no member yet. Let them in first.');
    return makeCard(this.#peer.record, this.#home.keys, { encJwk, name: member.name, role: member.role, camera: this.state.name, login: login ?? await this.#home.login(client) });
  }

  /** wouldFall returns the members that go too when one is revoked: its guests. */
  async wouldFall(client) { return (await this.members()).filter((m) => m.parent === client); }

  /**
   * revoke removes a member. It is repeated until the camera has answered.
   * @returns {Promise<{who: string[], kept: string[]}>} names of the clients that were removed, and of guests that stayed
   */
  async revoke(client, { keepGuests = false } = {}) {
    const name = (await this.members()).find((m) => m.client === client)?.name ?? '';
    const body = keepGuests ? { client, keep_guests: true } : { client };
    const done = await this.#peer.revoke(body, name, keepGuests ? this.#seen : undefined);
    this.#look(['members', 'status']);
    return { who: texts(done.revoked), kept: texts(done.kept) };
  }

  /** @returns {Promise<import('./types.js').Settings>} */
  async settings() {
    const { body, now } = await this.#peer.call('settings.get');
    this.#seen = now ?? this.#seen;
    return this.#settings(body);
  }

  #settings(s) {
    const all = { chosen: texts(s.chosen), privacy: s.privacy === true };
    for (const name of ['name', 'time_zone', 'privacy_off', 'quiet_hours', 'talk', 'update_hours', 'push']) all[name] = text(s[name]);
    Object.assign(this.#known, { privacy: all.privacy, timeZone: all.time_zone || undefined, name: all.name || this.#known.name });
    this.#changed();
    this.#keepName(all.name);
    return all;
  }

  // keepName has the camera be called so while it is not reached, and by the service worker.
  #keepName(name) {
    const { record } = this.#peer;
    if (!name || name === record.name) return;
    record.name = name;
    this.#home.store.update(`camera/${this.device}`, (old) => old && { ...old, name }).catch(() => {}); // the name of before serves, too
  }

  /** change chooses settings; those that are absent stay. */
  async change(settings) { return this.#settings(await this.#change('settings.set', settings)); }

  /** pushState says whether the camera pushes notices, and by which key: {on, subscribed, key}. */
  async pushState() { return this.#push({ do: 'status' }); }

  /**
   * subscribe has the camera push this client's notices to a PushSubscription of the browser, or
   * to none any more.
   * @param {PushSubscription} [subscription]
   */
  async subscribe(subscription) {
    const { endpoint, keys } = subscription?.toJSON() ?? {};
    return this.#push(subscription ? { do: 'set', subscription: { endpoint, p256dh: keys.p256dh, auth: keys.auth } } : { do: 'remove' });
  }

  async #push(ask) {
    const { body } = await this.#peer.call('push', ask);
    if (body.problem) throw new Problem('push', text(body.problem));
    return { on: body.on === true, subscribed: body.subscribed === true, key: text(body.key) };
  }

  /** privacy switches privacy mode. */
  async privacy(on) {
    const done = on ? (await this.#peer.call('privacy', { on })).body : await this.#change('privacy', { on: false });
    this.#known.privacy = done.on === true;
    this.#changed();
    this.#look(['status']);
  }

  /**
   * log reads the access log: the newest entries, or the newest of those before one.
   * @param {{before?: number, count?: number}} [which] before: its number
   * @returns {Promise<import('./types.js').History>}
   */
  async log({ before, count } = {}) {
    if (!this.#known.scopes) await this.members();
    return this.#records.read({ before, count, complete: this.#may('audit') });
  }

  /** acknowledge ends the alarm: what the camera shows now is believed from here on. */
  async acknowledge() {
    await this.#peer.ledger.acknowledge();
    this.#believe();
  }

  #believe() {
    this.#records = this.#reader(); // what was read before may be of another log
    this.#seen = undefined;
    this.#changed();
  }

  /** @returns {Promise<import('./types.js').Ring[]>} the newest last */
  async events() {
    const { all } = await this.#list('events', 'events');
    const rings = all.filter((e) => ofMilliseconds(e.t)).map((e) => ({ n: e.n ?? 0, time: ofMilliseconds(e.t), kind: 'ring', picture: text(e.picture), size: e.size ?? 0 }));
    const last = rings.at(-1);
    this.#known.lastEvent = last && { n: last.n, time: last.time, picture: last.picture !== '' };
    this.#changed();
    return rings;
  }

  /** eventPicture returns the picture of a ring. */
  eventPicture({ n, picture, size }) { return fetchPicture(this.#peer, { event: n }, { kind: picture, size }); }

  /** snapshot has the camera take a picture. Every member is told. @returns {Promise<Blob>} */
  snapshot() { return snapshot(this.#peer); }

  /**
   * watch asks for a live session, and returns it when the camera has answered.
   * @param {{video?: 'auto'|'none', wish?: import('./types.js').Wish, relayOnly?: boolean}} [wanted]
   * @returns {Promise<Session>}
   */
  async watch({ video = 'auto', wish, relayOnly = false } = {}) {
    if (!this.#known.scopes && this.#peer.record.role !== 'owner') await this.members();
    const may = this.#known.scopes ?? ['view', 'listen']; // an owner may everything
    const scopes = ['view', 'listen'].filter((s) => may.includes(s) && (s !== 'view' || video === 'auto'));
    if (scopes.length === 0) throw refused('scope_missing');
    return Session.start(this.#peer, { scopes, wish, relayOnly, servers: this.#home.servers });
  }

  /** @returns {Promise<import('./types.js').Update>} */
  updateState() { return this.#update({ do: 'status' }); }

  /** checkUpdate has the camera look for a release now. */
  checkUpdate() { return this.#update({ do: 'check' }); }

  /** install has the camera install what it was offered, and start it, at once. */
  install() { return this.#update({ do: 'install' }); }

  /** postpone puts an update off; without a date it is not put off any more. */
  postpone(until) { return this.#update({ do: 'postpone', until: until ? Math.floor(until.getTime() / 1000) : undefined }); }

  async #update(body) {
    const update = readUpdate((await this.#peer.call('update', body)).body, this.#known.timeZone);
    this.#known.update = update;
    this.#changed();
    return update;
  }
}

function safeWords(client) {
  try {
    return words(client);
  } catch {
    return '';
  }
}

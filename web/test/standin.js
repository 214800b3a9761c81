// A home without cameras behind it, for tests of what is drawn: every state that a screen can
// show, by the name of a scenario. Nothing of it is in the page that is served.

const now = Date.now();
const ago = (minutes) => new Date(now - minutes * 60e3);
const all = ['view', 'listen', 'talk', 'snapshot', 'events', 'settings', 'members', 'update', 'audit'];
const anna = 'AnnaAnnaAnnaAnnaAnnaAnnaAnnaAnnaAnnaAnnaAnn', own = 'OwnOwnOwnOwnOwnOwnOwnOwnOwnOwnOwnOwnOwnOwnO', ben = 'BenBenBenBenBenBenBenBenBenBenBenBenBenBenB', mia = 'MiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaM';

class Problem extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'Problem';
    this.code = code;
  }
}

const base = {
  name: 'Front door', link: 'online', sentence: '', member: 'Jo', role: 'owner', scopes: all, standing: 'ok', privacy: false,
  watching: [], lastEvent: { n: 6, time: ago(12), picture: true }, conditions: [], version: '2.4.0', unanswered: [], timeZone: 'UTC',
  update: { state: 'available', version: '2.4.0', offered: '2.5.0', notes: '', security: true, percent: 0, reason: '', logged: true, sentence: 'Version 2.5.0, which closes a security hole, will be installed.' },
};

const members = [
  { client: own, words: 'glad deal below market proof solution', name: 'Jo', role: 'owner', scopes: all, weekly: '', parent: '', by: '', added: ago(90000), standing: 'ok', sentence: '', watching: ['view'], own: true },
  { client: anna, words: 'ocean paper middle verb quick lemon', name: 'Anna', role: 'adult', scopes: ['view', 'listen', 'talk', 'snapshot', 'events', 'members', 'audit'], weekly: '', parent: '', by: 'Jo', added: ago(80000), standing: 'ok', sentence: '', watching: ['view', 'listen'], own: false },
  { client: ben, words: 'apple river stone green happy cloud', name: 'Ben the babysitter', role: 'guest', scopes: ['view', 'listen'], weekly: 'Mo-Fr 14:00-18:00; Sa 10:00-24:00', until: new Date(now + 20 * 24 * 3600e3), parent: anna, by: 'Anna', added: ago(4000), standing: 'outside_schedule', sentence: 'You may not do this at this time. Ask the person who added you for other times.', watching: [], own: false },
  { client: mia, words: 'tiger orange wall basket cruel faint', name: 'Mia', role: 'guest', scopes: ['view'], weekly: '', parent: own, by: 'Jo', added: ago(300), standing: 'ok', sentence: '', watching: [], own: false },
];

const entries = [
  [3, 'live', 'Anna began to watch and listen.'], [7, 'end', 'Anna stopped talking: someone at the camera ended it.', { op: 'talk', who: anna, ends: 7, because: 'someone at the camera ended it' }], [8, 'talk', 'Anna began to talk.', { who: anna, did: 'Anna talked' }], [12, 'ring', 'Someone rang the bell.'],
  [300, 'grant', 'Jo added Mia as guest: may watch.'], [1500, 'privacy', 'Jo switched privacy mode off.'], [1700, 'refused', '“Ben the babysitter” was not allowed to watch: outside the agreed hours.'],
  [1800, 'settings', 'Jo set quiet hours to 22:00-07:00.'], [4000, 'grant', 'Anna added “Ben the babysitter” as guest: may watch and listen; Mo-Fr 14:00-18:00.'], [90000, 'pair', 'Jo paired at the camera and became owner.'],
].map(([minutes, kind, sentence, more], i) => ({ n: 9 - i, time: ago(minutes), kind, sentence, verified: true, ...more })).reverse();

// pictureOf draws something that moves, so that a video has frames.
function pictureOf(canvas) {
  const c = canvas.getContext('2d');
  const sky = c.createLinearGradient(0, 0, 0, 720);
  sky.addColorStop(0, '#9db7cf');
  sky.addColorStop(1, '#e5d9c4');
  let turn = 0;
  return () => {
    c.fillStyle = sky;
    c.fillRect(0, 0, 1280, 720);
    c.fillStyle = '#6f7f6a';
    c.fillRect(0, 470, 1280, 250);
    c.fillStyle = '#8d5b3f';
    c.fillRect(440, 150, 300, 470);
    c.fillStyle = '#5d3a28';
    c.fillRect(470, 180, 240, 440);
    c.fillStyle = '#e8c37a';
    c.beginPath();
    c.arc(690, 400, 12, 0, 7);
    c.fill();
    c.fillStyle = '#3f4d5c';
    c.fillRect(860 + 30 * Math.sin(turn += 0.05), 330, 90, 260);
  };
}

class Session extends EventTarget {
  #timer;

  constructor(scenario) {
    super();
    this.scenario = scenario;
    this.state = 'live';
    this.scopes = ['view', 'listen'];
    this.sentence = '';
    this.wish = 'auto';
    const [stream, why, skips] = (new URLSearchParams(location.search).get('sent') ?? 'high,path').split(',');
    this.streamState = { stream, why, skips: skips !== undefined };
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: 1280, height: 720 });
    const draw = pictureOf(canvas);
    draw();
    this.#timer = setInterval(draw, 50);
    this.stream = canvas.captureStream(20);
  }

  async stats() { return { width: 1280, height: 720, fps: 24.9, kbps: 1480, delay: 31, lost: 0, path: 'direct', first: 118 }; }

  shown() {}

  async choose(wish) {
    this.wish = wish;
    this.streamState = { stream: wish === 'low' ? 'low' : 'high', why: wish === 'auto' ? 'path' : 'asked', skips: false };
    this.dispatchEvent(new Event('change'));
  }

  talk() {
    const talk = Object.assign(new EventTarget(), { state: 'asking', sentence: '', end() { this.to('ended'); }, to(state, sentence = '') { Object.assign(this, { state, sentence }); this.dispatchEvent(new Event('change')); } });
    const wanted = new URLSearchParams(location.search).get('talk') ?? 'live';
    const said = { refused: 'These are the household\'s quiet hours: nobody may speak through the camera now.', ended: 'Someone at the camera ended the talk.' };
    queueMicrotask(() => talk.to(wanted, said[wanted]));
    return talk;
  }

  bye() {
    clearInterval(this.#timer);
    this.state = 'ended';
  }
}

// working is as long as it takes until the browser has seen that a control is disabled.
const working = () => new Promise((done) => { setTimeout(done, 50); });

class Camera extends EventTarget {
  constructor(device, state, scenario) {
    super();
    this.device = device;
    this.scenario = scenario;
    this.state = { ...base, ...state };
  }

  set(state) {
    this.state = { ...this.state, ...state };
    this.dispatchEvent(new Event('change'));
  }

  async watch() {
    if (this.scenario === 'refused') throw new Problem('too_many_sessions', 'The camera allows no more viewers at a time. Try again when one of them has stopped.');
    this.asked();
    this.set({ watching: [{ client: own, name: 'Jo', scopes: ['view'], since: ago(1), own: true }, ...this.state.watching.filter((w) => !w.own)] });
    return new Session(this.scenario);
  }

  // asked has every question need the camera, as core does.
  asked() { if (this.state.link !== 'online') throw new Problem('offline', this.state.sentence); }

  wake() {}

  /** back is the camera's return. */
  back() { this.set({ link: 'online', sentence: '' }); }

  async members() {
    this.asked();
    this.set({ members });
    return members;
  }

  async keyOf(client) { return client === ben ? 'CAMD-KEY:1?known' : undefined; }
  async wouldFall(client) { return members.filter((m) => m.parent === client); }
  async grant() {
    await working();
    return { client: ben };
  }

  async cardFor(who, login) {
    this.login = login;
    return `eyJhbGciOiJFQ0RILUVTIn0.${'c'.repeat(1500)}`;
  }

  async revoke() { return { who: [] }; }
  async settings() {
    this.asked();
    return { name: this.state.name, time_zone: 'Europe/Berlin', privacy_off: this.scenario === 'device' ? 'device' : 'members', quiet_hours: '22:00-07:00', talk: 'announced', update_hours: '', push: 'on', privacy: this.state.privacy, chosen: [] };
  }

  async pushState() { return { on: true, subscribed: false, key: '' }; }
  async change(settings) {
    await working();
    return { ...await this.settings(), ...settings };
  }

  async privacy(on) { this.set({ privacy: on }); }
  async log() {
    this.asked();
    const verified = !this.state.alarm;
    return { entries, verified, complete: true, size: 10, begin: 0, sentence: verified ? 'All 10 entries were compared with what the camera signed.' : 'The access log is not verified: see the alarm.' };
  }

  async updateState() {
    this.asked();
    return { ...this.state.update, notes: 'Doors that slam no longer sound like the bell.\nThe picture starts faster in the dark.', checked: ago(200), latest: new Date(now + 30 * 3600e3) };
  }

  async postpone(until) {
    await working();
    this.set({ update: { ...this.state.update, postponed: until } });
    return this.updateState();
  }

  async events() { return this.state.lastEvent ? [{ n: 6, time: ago(12), kind: 'ring', picture: 'image/jpeg', size: 1 }] : []; }

  async eventPicture() {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
    pictureOf(canvas)();
    return new Promise((done) => { canvas.toBlob(done, 'image/jpeg'); });
  }

  async snapshot() { throw new Problem('no_media', 'The camera has no picture or sound to show now. Look at its status for the reason.'); }
  acknowledge() { this.set({ alarm: undefined }); }
}

const garden = 'gardengardengardengardenga', door = 'doordoordoordoordoordoordo';
const away = { name: 'Garden', link: 'offline', sentence: 'The camera does not answer. Check its power and its network; the page keeps trying.', watching: [], lastEvent: undefined };

const scenarios = {
  empty: () => [],
  one: () => [new Camera(door, { watching: [{ client: anna, name: 'Anna', scopes: ['view', 'listen'], since: ago(4), own: false }] })],
  several: () => [new Camera(door, {}), new Camera(garden, away), new Camera('nurserynurserynurserynurse', { name: 'Nursery', privacy: true, lastEvent: undefined })],
  private: () => [new Camera(door, { privacy: true })],
  device: () => [new Camera(door, { privacy: true }, 'device')],
  offline: () => [new Camera(door, { ...away, name: 'Front door' })],
  ended: () => [new Camera(door, { ...away, name: 'Front door', link: 'connecting', sentence: 'The demo has ended, or this browser can\'t reach it. Start it again, and open the address that it prints.' })],
  refused: () => [new Camera(door, {}, 'refused')],
  removed: () => [new Camera(door, { link: 'refused', removed: true, sentence: 'You have been removed from this camera\'s household. Ask an owner if that was a mistake.', role: 'guest', scopes: ['view', 'listen'] })],
  guest: () => [new Camera(door, { role: 'guest', scopes: ['view', 'listen'], member: 'Mia' })],
  alarm: () => [new Camera(door, { alarm: { kind: 'fork', sentence: 'The camera showed two different logs of the same length.', at: ago(2), have: '', got: '' }, unanswered: [{ client: ben, name: 'Ben' }] }, 'alarm')],
  broken: () => [new Camera(door, { conditions: [{ name: 'speaker', state: 'failed', reason: 'The speaker does not play: no sound device is connected.' }] })],
};

/** homeOf returns the home of a scenario. */
export function homeOf(scenario) {
  return Object.assign(new EventTarget(), {
    keys: { name: own, words: 'glad deal below market proof solution', text: `CAMD-KEY:1?${'k'.repeat(560)}`, persistent: scenario !== 'empty' },
    cameras: scenarios[scenario](),
    demo: scenario === 'empty',
    logins: false,
    damaged: [],
    wake() {},
    async readKey(text) {
      if (!text.startsWith('CAMD-KEY:')) throw new Problem('key', 'This is not a key. A key begins with CAMD-KEY:1?; copy all of it.');
      return { card: text, words: 'apple river stone green happy cloud' };
    },
    async readCard(text) {
      if (text.length < 8) throw new Problem('card', 'This is not a camera card. Copy all of it, or open the link.');
      return { signer: anna, words: 'ocean paper middle verb quick lemon', by: 'Anna', camera: 'Front door', member: 'Mia', role: 'guest', broker: 'wss://home.example', needsAddress: true, changes: ['The broker changes from wss://old.example to wss://home.example.'] };
    },
    async addCard() { return this.cameras[0]; },
    async pairDemo() { throw new Problem('ended', 'The pairing ended before it was done. Try again.'); },
    async pairNear({ show, settings }) {
      show({ state: 'choosing' });
      await settings({ owned: false, state: async () => ({ broker: false, fixed: false, certificate: false, wifi: true }), networks: async () => [{ name: 'Home', ssid: new Uint8Array([72]), security: 'wpa2', signal: -50 }, { name: 'Café', ssid: new Uint8Array([67]), security: 'open', signal: -70 }] });
      show({ state: 'working', step: 'wifi', sentence: 'The camera joins the Wi-Fi network…' });
      await new Promise(() => {});
    },
    async pairCode({ show }) {
      show(['CAMDC1:ABCDEFGHIJ', 'CAMDC1:BBCDEFGHIJ']);
      await new Promise(() => {});
    },
    async forget(camera) {
      this.cameras = this.cameras.filter((c) => c !== camera);
      this.dispatchEvent(new Event('change'));
    },
    ring() { this.cameras[0].dispatchEvent(new CustomEvent('entry', { detail: { n: 50, kind: 'ring', time: new Date(), sentence: 'Someone rang the bell.' } })); },
  });
}

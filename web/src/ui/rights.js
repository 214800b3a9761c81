// What members may do, in words.
import { read, days } from './hours.js';
import { clock, day } from './time.js';
import { own, words } from './words.js';

const w = words.rights;

// What a role has at most, and by itself: docs/protocol.md 5.7.
export const most = { guest: ['view', 'listen', 'talk', 'snapshot', 'events'], adult: Object.keys(w.may), owner: Object.keys(w.may) };
export const presets = {
  guest: ['view', 'listen'],
  adult: ['view', 'listen', 'talk', 'snapshot', 'events', 'members', 'audit'],
  owner: Object.keys(w.may),
};

/** rightsOf says in one line what a member may do. Whoever may everything has a word for it. */
export function rightsOf({ role, scopes }) {
  if (role === 'owner' || Object.keys(w.may).every((s) => scopes.includes(s))) return w.everything;
  const preset = own(presets, role);
  if (preset?.length === scopes.length && preset.every((s) => scopes.includes(s))) return w.usual[role];
  return w.list(scopes.map((s) => own(w.short, s) ?? s));
}

/** whenOf says at which times, a line each. */
export function whenOf({ weekly, from, until }, zone) {
  const moment = (time) => words.time.at(day(time, zone), clock(time, zone));
  const lines = [];
  if (weekly) lines.push(weeklyWords(weekly));
  if (from > Date.now()) lines.push(w.from(moment(from)));
  if (until) lines.push(w.until(moment(until)));
  return lines;
}

/** weeklyWords says weekly hours. */
export function weeklyWords(weekly) {
  const table = read(weekly);
  if (table?.every((v) => v && v.from === table[0].from && v.to === table[0].to)) return w.daily(table[0].from, table[0].to);
  return weekly.replaceAll(/[A-Z][a-z]/g, (d) => w.days[days.indexOf(d)] ?? d).replaceAll('-', '–');
}

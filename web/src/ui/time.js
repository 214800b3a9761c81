// Points in time as people say them: without seconds, by the day, in the household's time zone.
import { words } from './words.js';

const language = 'en';
const hour12 = new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions().hour12 ?? false; // as the reader's own clock

const formats = new Map();

// format makes each format once: making one is slow.
function format(name, options, zone) {
  const key = `${name} ${zone}`;
  if (!formats.has(key)) formats.set(key, made(options, zone));
  return formats.get(key);
}

function made(options, timeZone) {
  try {
    return new Intl.DateTimeFormat(language, { hour12, ...options, timeZone });
  } catch {
    return new Intl.DateTimeFormat(language, { hour12, ...options }); // a zone that this browser doesn't know
  }
}

const dayOf = (time, zone) => format('key', { year: 'numeric', month: '2-digit', day: '2-digit' }, zone).format(time);

/** clock returns the time of day. Times are in milliseconds, as Date has them. */
export const clock = (time, zone) => format('clock', { hour: hour12 ? 'numeric' : '2-digit', minute: '2-digit' }, zone).format(time);

/** endOf returns the last second of a day such as 2026-11-30, in the household's time zone. */
export function endOf(date, zone) {
  const wall = Date.parse(`${date}T23:59:59Z`); // what the clock shows then, as if it were UTC
  const parts = format('wall', { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: undefined, hourCycle: 'h23' }, zone);
  const shown = (time) => {
    const { year, month, day, hour, minute, second } = Object.fromEntries(parts.formatToParts(time).map((p) => [p.type, p.value]));
    return Date.UTC(year, month - 1, day, hour, minute, second);
  };
  const guess = wall - (shown(wall) - wall);
  return new Date(guess - (shown(guess) - wall)); // again, since the clock may change between the two
}

/** day names a day as seen from now: Today, Yesterday, Monday 30 November, or in short 30 Nov. */
export function day(time, zone, now = Date.now(), short = false) {
  const d = dayOf(time, zone);
  if (d === dayOf(now, zone)) return words.time.today;
  if (d === dayOf(now - 24 * 3600e3, zone)) return words.time.yesterday;
  const options = short ? { day: 'numeric', month: 'short' } : { weekday: 'long', day: 'numeric', month: 'long' };
  if (Math.abs(now - time) > 300 * 24 * 3600e3) options.year = 'numeric';
  return format(`day ${short} ${Boolean(options.year)}`, options, zone).format(time);
}

/** when returns a moment in a few words. */
export function when(time, zone, now = Date.now()) {
  const minutes = Math.floor((now - time) / 60e3);
  if (minutes >= 0 && minutes < 1) return words.time.now;
  if (minutes > 0 && minutes < 60) return words.time.minutes(minutes);
  return words.time.at(day(time, zone, now), clock(time, zone));
}

/** lasted returns how long something took, in milliseconds, in a few words. */
export function lasted(milliseconds) {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 60) return words.time.seconds(seconds);
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? words.time.forMinutes(minutes) : words.time.hours(Math.floor(minutes / 60), minutes % 60);
}

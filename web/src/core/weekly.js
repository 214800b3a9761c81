// Hours that repeat each week: docs/protocol.md 5.8.
const names = ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su'];
const day = 24 * 60, week = 7;
const longest = 256, mostWindows = 16;

/** @typedef {{days: boolean[], start: number, end: number}} Window days from Monday, minutes of the day; end may be below start: it lasts into the next day */

/**
 * parseWeekly reads weekly hours; undefined if they can't be read.
 * @param {string} text
 * @returns {Window[]|undefined}
 */
export function parseWeekly(text) {
  if (text.length > longest) return undefined;
  const windows = text.split(';').map(parseWindow);
  if (windows.length > mostWindows || windows.includes(undefined) || formatWeekly(windows).length > longest) return undefined;
  return windows;
}

/** formatWeekly writes weekly hours in the one form that the camera keeps. */
export const formatWeekly = (windows) => windows.map(({ days, start, end }) =>
  `${days.every(Boolean) ? '' : `${formatDays(days)} `}${formatTime(start)}-${formatTime(end)}`).join('; ');

function parseWindow(text) {
  const m = /^ *(?:([A-Za-z][A-Za-z, -]*) )? *(\d\d):(\d\d) *- *(\d\d):(\d\d) *$/.exec(text);
  if (!m) return undefined;
  const days = m[1] === undefined ? Array(week).fill(true) : parseDays(m[1]);
  const start = m[2] * 60 + +m[3];
  let end = m[4] * 60 + +m[5];
  if (!days || m[3] > 59 || m[5] > 59 || start >= day || end > day || start === end) return undefined;
  if (end === 0) end = day; // 22:00-00:00 and 22:00-24:00 are the same
  return { days, start, end };
}

function parseDays(list) {
  const days = Array(week).fill(false);
  for (const part of list.split(',')) {
    const [first, last = first, more] = part.split('-').map((n) => names.findIndex((d) => d.toLowerCase() === n.trim().toLowerCase()));
    if (first < 0 || last < 0 || more !== undefined || part.includes('-') && first === last) return undefined; // one day, or a week?
    for (let d = first; ; d = (d + 1) % week) {
      days[d] = true;
      if (d === last) break;
    }
  }
  return days;
}

// formatDays writes each run of days, over the week's end if need be.
function formatDays(days) {
  const on = (d) => days[(d + week) % week];
  return names.map((name, d) => {
    if (!on(d) || on(d - 1)) return '';
    let n = 1;
    while (on(d + n)) n++;
    return n > 1 ? `${name}-${names[(d + n - 1) % week]}` : name;
  }).filter(Boolean).join();
}

const formatTime = (minute) => [Math.floor(minute / 60), minute % 60].map((n) => String(n).padStart(2, '0')).join(':');

/** canonical is weekly hours as the camera writes them; as they are if it can't read them. */
export function canonical(text) {
  const windows = text ? parseWeekly(text) : undefined;
  return windows ? formatWeekly(windows) : text;
}

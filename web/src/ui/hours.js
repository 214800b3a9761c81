// Weekly hours of docs/protocol.md 5.8, as a table with one row for each day.

export const days = ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su'];

const window = /^(?:([A-Z][a-z](?:[ ,-]+[A-Z][a-z])*) +)?(\d\d:\d\d) *- *(\d\d:\d\d)$/;

/**
 * read returns for each day its window, or null for none. It returns null for hours that a
 * table with one window a day can't show.
 * @param {string} weekly
 * @returns {Array<{from: string, to: string} | null> | null}
 */
export function read(weekly) {
  const table = days.map(() => null);
  for (const part of weekly.split(';').map((p) => p.trim()).filter(Boolean)) {
    const match = window.exec(part);
    if (!match) return null;
    for (const day of match[1] ? named(match[1]) : days.keys()) {
      if (day < 0 || table[day]) return null;
      table[day] = { from: match[2], to: match[3] };
    }
  }
  return table;
}

// named returns the numbers of days such as "Mo-We, Fr"; -1 for one that there is not.
function named(list) {
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map((d) => days.indexOf(d.trim()));
    if (first < 0 || last < 0) return [-1];
    return Array.from({ length: (last - first + 7) % 7 + 1 }, (_, i) => (first + i) % 7);
  });
}

/**
 * write is the opposite of read: days with the same window stand together.
 * An end of 00:00 is the end of the day.
 */
export function write(table) {
  const windows = new Map();
  table.forEach((w, day) => {
    if (!w) return;
    const text = `${w.from}-${w.to === '00:00' ? '24:00' : w.to}`;
    windows.set(text, [...windows.get(text) ?? [], days[day]]);
  });
  return [...windows].map(([text, named]) => `${named.join(',')} ${text}`).join('; ');
}

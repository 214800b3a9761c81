// Points in time as a camera tells them. A hostile one tells some that no clock shows.

const last = 8.64e15; // milliseconds: what a Date holds (ECMA-262 21.4.1.1)

/** ofMilliseconds returns undefined for what is no point in time, and for 0, which means none. */
export const ofMilliseconds = (n) => (typeof n === 'number' && n > 0 && n <= last ? new Date(n) : undefined);

export const ofSeconds = (n) => ofMilliseconds(n * 1000);

// Draws the parts of a code as QR codes (ISO/IEC 18004): all of version 5 and level M, in
// alphanumeric mode, which is what docs/protocol.md 3.12.4 makes them for. So a code does not
// change its size from part to part, and one table does.

const size = 37, dataBytes = 86, blocks = 2, checkBytes = 24;
const characters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
const maxText = 122;
export const margin = 4;

// modules returns the rows of a QR code: 1 is dark.
export function modules(text) {
  const bits = interleave(encode(text)).flatMap((b) => [7, 6, 5, 4, 3, 2, 1, 0].map((i) => b >> i & 1));
  const { grid, taken } = patterns();
  let at = 0;
  for (const [x, y] of path()) if (!taken[y][x]) grid[y][x] = bits[at++] ?? 0;
  let best;
  for (let mask = 0; mask < masks.length; mask++) {
    const rows = grid.map((row, y) => row.map((v, x) => (taken[y][x] ? v : v ^ masks[mask](x, y))));
    format(rows, mask);
    const penalty = penaltyOf(rows);
    if (!best || penalty < best.penalty) best = { rows, penalty };
  }
  return best.rows;
}

// encode is section 7.4: mode, length, pairs of characters, and what fills the rest.
function encode(text) {
  const values = [...text].map((c) => characters.indexOf(c));
  if (values.length > maxText || values.includes(-1)) throw new Error('not a text of the alphanumeric mode, or a longer one');
  let bits = '';
  const add = (value, width) => { bits += value.toString(2).padStart(width, '0'); };
  add(2, 4);
  add(values.length, 9);
  for (let i = 0; i < values.length; i += 2) {
    if (i + 1 < values.length) add(values[i] * 45 + values[i + 1], 11);
    else add(values[i], 6);
  }
  bits += '0'.repeat(Math.min(4, 8 * dataBytes - bits.length));
  bits += '0'.repeat(-bits.length & 7);
  const out = bits.match(/.{8}/g).map((b) => parseInt(b, 2));
  for (let i = 0; out.length < dataBytes; i ^= 1) out.push([0xec, 0x11][i]);
  return out;
}

// interleave is sections 7.5 and 7.6: two blocks, each with its check bytes, mixed.
function interleave(data) {
  const each = dataBytes / blocks;
  const pieces = Array.from({ length: blocks }, (_, i) => data.slice(i * each, (i + 1) * each));
  const mix = (all) => all[0].flatMap((_, i) => all.map((one) => one[i]));
  return [...mix(pieces), ...mix(pieces.map(remainder))];
}

// In GF(256) of the polynomial 0x11d.
const powers = [1];
while (powers.length < 255) powers.push(powers.at(-1) << 1 ^ (powers.at(-1) & 128 ? 0x11d : 0));
const logs = Object.fromEntries(powers.map((v, i) => [v, i]));
const times = (a, b) => (a && b ? powers[(logs[a] + logs[b]) % 255] : 0);

const generator = Array.from({ length: checkBytes }).reduce((g, _, i) =>
  [...g, 0].map((v, j) => v ^ times(j > 0 ? g[j - 1] : 0, powers[i])), [1]);

// remainder is Reed and Solomon's check bytes of a block.
function remainder(data) {
  const rest = Array(checkBytes).fill(0);
  for (const b of data) {
    const factor = b ^ rest.shift();
    rest.push(0);
    for (let i = 0; i < checkBytes; i++) rest[i] ^= times(generator[i + 1], factor);
  }
  return rest;
}

// patterns are what does not depend on the text, and where it is.
function patterns() {
  const rows = () => Array.from({ length: size }, () => Array(size).fill(0));
  const grid = rows(), taken = rows();
  const set = (x, y, dark) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    grid[y][x] = dark ? 1 : 0;
    taken[y][x] = 1;
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  const square = (cx, cy, radius, light) => {
    for (let y = -radius; y <= radius; y++) {
      for (let x = -radius; x <= radius; x++) set(cx + x, cy + y, !light.includes(Math.max(Math.abs(x), Math.abs(y))));
    }
  };
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) square(x, y, 4, [2, 4]);
  square(size - 7, size - 7, 2, [1]);
  for (const [x, y] of formatPlaces.flat()) set(x, y, 0);
  set(8, size - 8, 1);
  return { grid, taken };
}

// formatPlaces are where the 15 bits of the format are, twice, the lowest first.
const formatPlaces = [
  [...[0, 1, 2, 3, 4, 5, 7, 8].map((y) => [8, y]), ...[7, 5, 4, 3, 2, 1, 0].map((x) => [x, 8])],
  [...[1, 2, 3, 4, 5, 6, 7, 8].map((x) => [size - x, 8]), ...[7, 6, 5, 4, 3, 2, 1].map((y) => [8, size - y])],
];

// format is section 7.9: level M and the mask, with a check.
function format(rows, mask) {
  let check = mask << 10;
  for (let i = 14; i >= 10; i--) if (check >> i & 1) check ^= 0x537 << i - 10;
  const bits = (mask << 10 | check) ^ 0x5412;
  for (const places of formatPlaces) places.forEach(([x, y], i) => { rows[y][x] = bits >> i & 1; });
}

// path is the order in which modules are filled: up and down in pairs of columns, from the
// right, without the column of the timing pattern.
function* path() {
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right--;
    for (let i = 0; i < size; i++) {
      const y = up ? size - 1 - i : i;
      yield [right, y];
      yield [right - 1, y];
    }
  }
}

// Section 7.8.2.
const masks = [
  (x, y) => (x + y) % 2 === 0, (x, y) => y % 2 === 0, (x) => x % 3 === 0, (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0, (x, y) => x * y % 2 + x * y % 3 === 0,
  (x, y) => (x * y % 2 + x * y % 3) % 2 === 0, (x, y) => ((x + y) % 2 + x * y % 3) % 2 === 0,
];

// penaltyOf is section 7.8.3: what makes a code hard to read.
function penaltyOf(rows) {
  const columns = rows[0].map((_, x) => rows.map((row) => row[x]));
  let penalty = 0;
  for (const one of [...rows, ...columns]) {
    const text = one.join('');
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) penalty += run.length - 2;
    penalty += 40 * [...text.matchAll(/(?=10111010000|00001011101)/g)].length;
  }
  for (let y = 1; y < size; y++) {
    for (let x = 1; x < size; x++) {
      const sum = rows[y][x] + rows[y][x - 1] + rows[y - 1][x] + rows[y - 1][x - 1];
      if (sum === 0 || sum === 4) penalty += 3;
    }
  }
  const dark = rows.flat().filter(Boolean).length;
  return penalty + 10 * Math.floor(Math.abs(20 * dark / size ** 2 - 10));
}

// draw draws a part on a canvas, dark on light with its margin, as large as fits.
export function draw(canvas, text) {
  const rows = modules(text), side = size + 2 * margin;
  const scale = Math.max(1, Math.floor(Math.min(canvas.width, canvas.height) / side));
  const context = canvas.getContext('2d');
  const left = Math.floor((canvas.width - scale * side) / 2), top = Math.floor((canvas.height - scale * side) / 2);
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = 'black';
  rows.forEach((row, y) => row.forEach((dark, x) => {
    if (dark) context.fillRect(left + scale * (x + margin), top + scale * (y + margin), scale, scale);
  }));
}

const partTime = 400; // docs/protocol.md 3.12.5

// show draws the parts of a code one after the other, again and again, until signal ends it.
export function show(canvas, parts, signal) {
  if (signal.aborted) return;
  let next = 0;
  const step = () => draw(canvas, parts[next++ % parts.length]);
  step();
  const timer = setInterval(step, partTime);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

// Files that the page gives, and takes.

/** save has the browser keep a blob as a file. */
export function save(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // a browser may read it after the click
}

/** named returns a file name out of what a person called something, with the time. */
export function named(name, ending, time = new Date()) {
  const two = (n) => String(n).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const plain = name.replaceAll(/[^\p{L}\p{N} _-]/gu, '').trim() || 'camera';
  return `${plain} ${day} ${two(time.getHours())}.${two(time.getMinutes())}.${two(time.getSeconds())}.${ending}`;
}

const most = 64 << 10; // what a card or key may have, with room

/** textOf reads a file that a person chose. */
export async function textOf(file) {
  if (file.size > most) return '';
  return file.text();
}

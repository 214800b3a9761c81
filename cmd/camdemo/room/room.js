// The room of the demo's camera: plays what its loudspeaker would play, and presses its buttons.
// The camera writes its samples to a file that the server follows: 16-bit little-endian, 48 kHz,
// mono.
const $ = (id) => document.getElementById(id);
const rate = 48000, ahead = 0.1; // seconds of sound that wait, so that a late piece is no gap

async function play(signal) {
  const context = new AudioContext({ sampleRate: rate });
  try {
    const answer = await fetch('loudspeaker', { signal });
    if (!answer.ok) throw new Error((await answer.json()).error);
    $('heard').textContent = 'You hear what the room hears.';
    const reader = answer.body.getReader();
    let at = 0, odd = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error('The demo has ended.');
      const bytes = new Uint8Array(odd.length + value.length);
      bytes.set(odd);
      bytes.set(value, odd.length);
      const n = bytes.length >> 1;
      odd = bytes.slice(2 * n);
      if (n === 0) continue;
      const buffer = context.createBuffer(1, n, rate);
      const samples = buffer.getChannelData(0), view = new DataView(bytes.buffer);
      for (let i = 0; i < n; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.connect(context.destination);
      at = Math.max(at, context.currentTime + ahead);
      source.start(at);
      at += n / rate;
      $('hear').dataset.played = String(Number($('hear').dataset.played ?? 0) + n);
    }
  } finally {
    await context.close();
  }
}

let listening = null; // aborts the stream

async function hear() {
  if (listening) {
    listening.abort();
    return;
  }
  listening = new AbortController();
  $('hear').setAttribute('aria-pressed', 'true');
  let text = '';
  try {
    await play(listening.signal);
  } catch (error) {
    if (error.name !== 'AbortError') text = error.message;
  }
  listening = null;
  $('hear').setAttribute('aria-pressed', 'false');
  $('heard').textContent = text;
}

const done = {
  ring: 'It rings. Every member is told.',
  accept: 'The voice comes in.',
  end: 'It is silent, and stays so for ten minutes.',
};

async function press({ target }) {
  let text = done[target.id];
  try {
    const answer = await fetch(target.id, { method: 'POST' });
    if (!answer.ok) text = (await answer.json()).error;
  } catch {
    text = 'The demo has ended.';
  }
  $('pressed').textContent = text;
}

$('hear').addEventListener('click', hear);
for (const id of Object.keys(done)) $(id).addEventListener('click', press);

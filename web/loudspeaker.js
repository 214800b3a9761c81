// The loudspeaker: plays here what the camera's speaker would play in the room. The
// demo's camera has none, and writes its samples to a file that the page's server
// follows: 16-bit little-endian, 48 kHz, mono.

import { $ } from './app.js';

const rate = 48000, ahead = 0.1; // seconds of sound that wait, so that a late piece is no gap

let listening = null; // aborts the stream

function show(text) {
  $('loudspeaker').setAttribute('aria-pressed', String(listening !== null));
  $('loudspeaker').textContent = listening ? '🔊 Loudspeaker on' : '🔈 Loudspeaker off';
  $('loudspeakernote').textContent = text;
}

async function play(signal) {
  const context = new AudioContext({ sampleRate: rate });
  try {
    const answer = await fetch('loudspeaker', { signal });
    if (!answer.ok) throw new Error((await answer.json()).error);
    show('Here you hear what the room hears.');
    const reader = answer.body.getReader();
    let at = 0, odd = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
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
      $('loudspeaker').dataset.played = String(Number($('loudspeaker').dataset.played ?? 0) + n);
    }
  } finally {
    await context.close();
  }
}

async function toggle() {
  if (listening) {
    listening.abort();
    return;
  }
  listening = new AbortController();
  let text = '';
  try {
    await play(listening.signal);
  } catch (error) {
    if (error.name !== 'AbortError') text = error.message;
  }
  listening = null;
  show(text);
}

$('loudspeaker').addEventListener('click', toggle);

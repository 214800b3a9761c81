// Talking. The microphone is open from the press of the button until the end of the
// talk, and nothing of it is sent before the camera has announced who speaks. What the
// camera says of the talk comes as a stream of JSON lines; ending that request ends it.

import { $, post, Problem, lines, session } from './app.js';

let talk = null; // aborts the one that is under way

function show(text) {
  $('talk').setAttribute('aria-pressed', String(talk !== null));
  $('talk').textContent = talk ? 'Stop talking' : 'Talk';
  $('talknote').textContent = text;
}

async function run(live, ended) {
  show('Let this page use the microphone.');
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
  const [track] = stream.getAudioTracks();
  track.addEventListener('ended', () => talk?.abort()); // it was unplugged, or forbidden
  try {
    ended.throwIfAborted();
    show('The camera announces you: its chime sounds, and it says who speaks…');
    const answer = await post('talk', { session: live.id }, ended);
    for await (const line of lines(answer.body)) {
      const message = JSON.parse(line);
      if (message.error) throw new Problem(message.error);
      if (!message.live) continue;
      await live.mouth.replaceTrack(track);
      show('You are live: speak.');
    }
    throw new Problem('The talk was ended.');
  } finally {
    track.stop();
    await live.mouth.replaceTrack(null).catch(() => {}); // its session may be over
  }
}

function explain(error) {
  if (error instanceof Problem) return error.message;
  switch (error.name) {
    case 'AbortError': return '';
    case 'NotAllowedError': return 'This page may not use the microphone. Allow it in the browser’s settings of this page.';
    case 'NotFoundError': return 'This computer has no microphone.';
  }
  return `You can’t talk: ${error.message}.`;
}

async function toggle() {
  if (talk) {
    talk.abort();
    return;
  }
  const live = session;
  if (!live?.id) {
    show('You can talk once there is a picture.');
    return;
  }
  talk = new AbortController();
  let text = '';
  try {
    await run(live, AbortSignal.any([talk.signal, live.abort.signal]));
  } catch (error) {
    text = explain(error);
  }
  talk = null;
  show(text);
}

$('talk').addEventListener('click', toggle);

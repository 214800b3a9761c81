// Talk: docs/protocol.md 8. The microphone is open from the press of the button until the end
// of the talk, and nothing of it is sent before the camera has told the room who speaks.
import { Problem } from '../../setup/problem.js';
import { token } from './broker.js';
import { endSentence } from './refusal.js';

const microphone = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } };

function explain(error) {
  if (error instanceof Problem) return error;
  const sentence = {
    NotAllowedError: 'This page may not use the microphone. Allow it in the browser\'s settings of this page.',
    NotFoundError: 'This device has no microphone.',
    NotReadableError: 'Another program uses the microphone. End it, and try again.',
  }[error.name] ?? 'The microphone does not work. Try again.';
  return new Problem('microphone', sentence, { cause: error });
}

/**
 * openMicrophone gives the microphone's sound, or a Problem that says why there is none.
 * @returns {Promise<MediaStream>}
 */
export async function openMicrophone() {
  try {
    return await navigator.mediaDevices.getUserMedia(microphone);
  } catch (error) {
    throw explain(error);
  }
}

/**
 * Talk fires 'change' when state changed. sentence says why it was refused, or ended; it is
 * empty if its person ended it.
 */
export class Talk extends EventTarget {
  #peer;
  #sender;
  #sid = token();
  #abort = new AbortController();
  #track;
  #forget;
  #asked = false;
  #over = () => this.end();

  constructor(peer, session, live, sender) {
    super();
    this.#peer = peer;
    this.#sender = sender;
    /** @type {'asking'|'announcing'|'live'|'refused'|'ended'} asking: for the microphone; announcing: the room hears the chime and who speaks */
    this.state = 'asking';
    this.sentence = '';
    this.session = session;
    session.addEventListener('ended', this.#over);
    this.#run(live).catch((error) => this.#stop('refused', explain(error)));
  }

  async #run(live) {
    if (!this.#sender) throw new Problem('sound', 'You can talk once this page hears the camera.');
    const stream = await openMicrophone();
    [this.#track] = stream.getAudioTracks();
    if (this.#done) return this.#track.stop();
    this.#track.addEventListener('ended', () => this.end()); // it was unplugged, or forbidden
    this.#forget = this.#peer.session(this.#sid, (kind, body) => {
      if (kind === 'end') this.#stop('ended', new Problem(String(body.reason), endSentence(String(body.reason), true)));
    });
    this.#become('announcing');
    this.#asked = true;
    await this.#peer.call('talk', { live }, { sid: this.#sid, signal: this.#abort.signal });
    if (this.#done) return undefined;
    await this.#sender.replaceTrack(this.#track);
    if (this.#done) return this.#sender.replaceTrack(null).catch(() => {}); // it ended in between
    this.#become('live');
    return undefined;
  }

  get #done() { return this.state === 'refused' || this.state === 'ended'; }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }

  /** end ends the talk, or the asking for one. */
  end() {
    if (this.#done) return;
    this.#stop('ended');
    if (this.#asked) this.#peer.call('bye', undefined, { sid: this.#sid }).catch(() => {}); // it has ended, or ends with its session
  }

  #stop(state, problem) {
    if (this.#done) return;
    this.sentence = problem?.message ?? '';
    this.#track?.stop();
    this.#sender?.replaceTrack(null).catch(() => {}); // its session may be over
    this.#become(state);
    this.#abort.abort();
    this.#forget?.();
    this.session.removeEventListener('ended', this.#over);
  }
}

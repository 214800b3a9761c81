// Picture and sound: docs/protocol.md 7. The offer goes out at once and without candidates, so
// that the first picture comes early; the camera learns this browser's own addresses from its checks.
import { Problem } from '../../setup/problem.js';
import { readAnswer, usable } from './answer.js';
import { token } from './broker.js';
import { isHere } from './config.js';
import { localNetworkHint } from './localnetwork.js';
import { endSentence, failure } from './refusal.js';
import { peerConnection } from './servers.js';
import { Stats } from './stats.js';
import { Talk } from './talk.js';

const mostCandidates = 30; // in one message
const mostOfCamera = 64; // in one session
const gather = 50; // milliseconds in which candidates are collected

const problem = (code, sentence, cause) => new Problem(code, sentence, { cause });

const unsupported = (what) => problem('browser', `This browser has no ${what}, which the camera sends. Use another browser.`);

/** Session is one live session. It fires 'change' when state changed, and 'ended' once. */
export class Session extends EventTarget {
  #peer;
  #pc;
  #sid = token();
  #waiting = []; // the camera's candidates from before its answer
  #came = 0;     // how many of them came
  #own = [];     // ours that were not sent yet
  #timer;
  #asked = false;
  #abort = new AbortController();
  #forget;
  #stats;
  #sender;

  constructor(peer) {
    super();
    this.#peer = peer;
    /** @type {'asking'|'connecting'|'live'|'stalled'|'ended'} stalled: nothing comes at this moment */
    this.state = 'asking';
    /** @type {import('./types.js').Scope[]} what the camera lets this session see and hear */
    this.scopes = [];
    this.stream = new MediaStream();
    this.began = performance.now();
    /** why it ended; empty while it lasts, and if this page ended it */
    this.sentence = '';
    /** @type {import('./types.js').Wish} which stream of pictures this page has asked for */
    this.wish = 'auto';
    /** @type {import('./types.js').StreamState | undefined} undefined: the camera has not said so */
    this.streamState = undefined;
  }

  /**
   * start asks for a session.
   * @param {{scopes: string[], wish?: import('./types.js').Wish, servers: () => Promise<RTCIceServer[]>, relayOnly?: boolean}} wanted
   */
  static async start(peer, { scopes, wish = 'auto', servers, relayOnly = false }) {
    const s = new Session(peer);
    s.wish = wish;
    try {
      await s.#offer(scopes, await servers(), relayOnly);
    } catch (error) {
      await s.#end(error);
      throw error;
    }
    return s;
  }

  async #offer(scopes, iceServers, relayOnly) {
    if (typeof RTCPeerConnection === 'undefined') throw unsupported('WebRTC');
    const pc = this.#pc = peerConnection({ iceServers, iceTransportPolicy: relayOnly ? 'relay' : 'all', bundlePolicy: 'max-bundle' });
    this.#stats = new Stats(pc, (silent) => this.#silent(silent), () => this.#end(problem('silent', 'Nothing has come from the camera for ten seconds.')));
    pc.onicecandidate = ({ candidate }) => this.#candidate(candidate);
    pc.onconnectionstatechange = () => this.#connection();
    pc.ontrack = (event) => this.#track(event);
    if (scopes.includes('view')) prefer(pc.addTransceiver('video', { direction: 'recvonly' }), 'video');
    if (scopes.includes('listen')) {
      const audio = pc.addTransceiver('audio', { direction: 'sendrecv' }); // so that talk needs no other offer
      prefer(audio, 'audio');
      this.#sender = audio.sender; // sends nothing until its person talks
    }
    await pc.setLocalDescription();
    this.#forget = this.#peer.session(this.#sid, (kind, body) => this.#signal(kind, body));
    const { body } = await this.#peer.call('live', { sdp: pc.localDescription.sdp, scopes, stream: this.wish === 'auto' ? undefined : this.wish }, { sid: this.#sid, signal: this.#abort.signal });
    await this.#answer(body, scopes);
  }

  async #answer({ sdp, scopes, stream }, asked) {
    this.#asked = true;
    this.#sends(stream);
    try {
      await this.#pc.setRemoteDescription({ type: 'answer', sdp: readAnswer(String(sdp), nearby()) });
    } catch (cause) {
      throw failure('garbled', cause);
    }
    this.scopes = asked.filter((s) => Array.isArray(scopes) && scopes.includes(s));
    this.#become('connecting');
    for (const c of this.#waiting.splice(0)) this.#add(c);
    this.#send();
  }

  #signal(kind, body) {
    if (kind === 'end') return this.#lost(problem(String(body.reason), endSentence(String(body.reason))));
    if (kind === 'stream') return this.#sends(body);
    if (kind !== 'candidate' || !Array.isArray(body.candidates)) return undefined;
    for (const c of body.candidates) {
      if (++this.#came > mostOfCamera) return undefined;
      if (this.state === 'asking') this.#waiting.push(c);
      else this.#add(c);
    }
    return undefined;
  }

  // sends takes which stream of pictures the camera sends, and why: docs/protocol.md 7.7.
  #sends(state) {
    if (!['high', 'low'].includes(state?.stream)) return;
    this.streamState = { stream: state.stream, why: String(state.why), skips: state.skips === true };
    this.dispatchEvent(new Event('change'));
  }

  // add takes one of the camera's candidates. One that is none does no harm.
  #add(candidate) {
    if (typeof candidate?.candidate !== 'string' || !usable(candidate.candidate, nearby())) return;
    this.#pc.addIceCandidate(candidate).catch(() => {});
  }

  // candidate trickles ours. Names that only multicast DNS knows are no use to a camera that
  // does not speak it.
  #candidate(candidate) {
    if (candidate && / \S+\.local /.test(candidate.candidate)) return;
    this.#own.push(candidate ? candidate.toJSON() : null);
    this.#timer ??= setTimeout(() => this.#send(), gather);
  }

  #send() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#asked || this.state === 'ended') return;
    while (this.#own.length > 0) {
      const some = this.#own.splice(0, mostCandidates), candidates = some.filter((c) => c?.candidate);
      this.#peer.call('candidate', { candidates, done: some.includes(null) }, { sid: this.#sid }).catch(() => {}); // a session that has ended says so itself
    }
  }

  #track({ track, receiver }) {
    if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
    else if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
    this.stream.addTrack(track);
  }

  #connection() {
    switch (this.#pc.connectionState) {
      case 'connected': this.#become('live'); break;
      case 'disconnected': this.#become('stalled'); break;
      case 'failed': this.#lost(problem('lost', 'The connection to the camera was lost.'));
    }
  }

  // lost ends the session. If no way to the camera was found, the browser may be why.
  async #lost({ code, message }) {
    const never = this.state === 'connecting' && ['lost', 'ice failed'].includes(code);
    await this.#end(problem(code, message + (never ? await localNetworkHint() : '')));
  }

  #silent(silent) {
    if (this.state === 'live' && silent) this.#become('stalled');
    else if (this.state === 'stalled' && !silent) this.#become('live');
  }

  #become(state) {
    if (this.state === state || this.state === 'ended') return;
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }

  /** shown is told that a picture is on the screen, by its requestVideoFrameCallback. */
  shown(metadata) { this.#stats.shown(metadata, this.began); }

  /** @returns {Promise<import('./types.js').Stats>} */
  stats() { return this.#stats.read(); }

  /**
   * choose asks for another stream of pictures, which comes with its next key frame.
   * @param {import('./types.js').Wish} wish
   */
  async choose(wish) {
    const before = this.wish;
    const set = (w) => {
      this.wish = w;
      this.dispatchEvent(new Event('change'));
    };
    set(wish);
    try {
      await this.#peer.call('stream', { stream: wish }, { sid: this.#sid, signal: this.#abort.signal });
    } catch (error) {
      if (this.wish === wish) set(before);
      throw error;
    }
  }

  /** talk lets the person speak: it asks, and the room is told first. */
  talk() { return new Talk(this.#peer, this, this.#sid, this.#sender); }

  /** bye ends the session. */
  async bye() {
    if (this.state === 'ended') return;
    const asked = this.#asked;
    await this.#end();
    if (asked) await this.#peer.call('bye', undefined, { sid: this.#sid }).catch(() => {}); // the camera sees that the way is closed
  }

  async #end(why) {
    if (this.state === 'ended') return;
    this.sentence = why?.message ?? '';
    this.#become('ended');
    this.#abort.abort(why);
    clearTimeout(this.#timer);
    this.#forget?.();
    this.#stats?.close();
    for (const track of this.stream.getTracks()) this.stream.removeTrack(track);
    this.#pc?.close();
    this.dispatchEvent(new Event('ended'));
  }
}

// nearby reports whether the camera may be on this machine: the page is.
const nearby = () => isHere(location.hostname);

// prefer offers the one format that the camera sends, so that an offer fits into a message.
function prefer(transceiver, kind) {
  const all = RTCRtpReceiver.getCapabilities?.(kind)?.codecs ?? [];
  const wanted = kind === 'audio' ? all.filter((c) => c.mimeType === 'audio/opus')
    : all.filter((c) => c.mimeType === 'video/H264' && c.sdpFmtpLine?.includes('packetization-mode=1')).sort((a, b) => rank(a) - rank(b));
  if (wanted.length === 0) throw unsupported(kind === 'video' ? 'H.264' : 'Opus');
  wanted.push(...all.filter((c) => c.mimeType === 'video/rtx')); // for what the camera sends again
  transceiver.setCodecPreferences(wanted);
}

// Constrained baseline first: every camera's encoder can make it.
const rank = ({ sdpFmtpLine }) => (sdpFmtpLine.includes('profile-level-id=42e01f') ? 0 : 1);

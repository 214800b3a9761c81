// The picture. The page asks for a live session with one POST whose answer is a
// stream of JSON lines: the camera's answer, then its signals. Ending that request is
// the bye.

export const $ = (id) => document.getElementById(id);
const picture = $('picture');

const firstPause = 1000, maxPause = 15000;
const silentAfter = 2000, lostAfter = 10000; // milliseconds in which nothing comes

export let session = null; // the one that is live or being asked for
let pause = firstPause;
let timer = 0;

function say(state, text) {
  $('state').dataset.state = state;
  $('state').textContent = text;
}

// forget takes away what is not of now: numbers that were true, and the last picture.
function forget() {
  for (const id of ['size', 'fps', 'delay', 'rate']) $(id).textContent = '–';
  $('stage').dataset.old = 'true';
}

// explain shows what happened and tries again after a while that grows.
function explain(sentence) {
  say('failed', 'No picture');
  $('reason').textContent = sentence;
  $('notice').hidden = false;
  clearTimeout(timer);
  timer = setTimeout(start, pause);
  pause = Math.min(2 * pause, maxPause);
}

const gone = 'The demo can’t be reached any more. Start it again with “make demo”, and open the address that it prints.';

export async function post(path, body, signal) {
  const answer = await fetch(path, {
    method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' }, signal,
  });
  if (!answer.ok) throw new Problem((await answer.json()).error);
  return answer;
}

export class Problem extends Error {}

class Session {
  constructor() {
    this.began = performance.now();
    this.abort = new AbortController();
    this.waiting = []; // candidates from before the camera's answer
    this.id = null;
    this.pc = new RTCPeerConnection();
    this.pc.onicecandidate = ({ candidate }) => this.candidate(candidate);
    this.pc.onconnectionstatechange = () => this.changed();
    this.pc.ontrack = ({ track }) => this.track(track);
    this.heard = this.began; // when something came last
    this.bytes = 0;
    picture.srcObject = new MediaStream();
  }

  async run() {
    const video = this.pc.addTransceiver('video', { direction: 'recvonly' });
    const audio = this.pc.addTransceiver('audio', { direction: 'sendrecv' });
    video.setCodecPreferences(codecs('video', ({ mimeType, sdpFmtpLine = '' }) =>
      mimeType === 'video/H264' && sdpFmtpLine.includes('packetization-mode=1')));
    this.mouth = audio.sender; // sends nothing until someone talks
    audio.setCodecPreferences(codecs('audio', ({ mimeType }) => mimeType === 'audio/opus'));
    await this.pc.setLocalDescription();
    const answer = await post('session', { sdp: this.pc.localDescription.sdp, scopes: ['view', 'listen'] }, this.abort.signal);
    for await (const line of lines(answer.body)) await this.take(JSON.parse(line));
    throw new Problem(gone);
  }

  async take(message) {
    if (message.error) throw new Problem(message.error);
    if (message.answer) {
      this.id = message.session;
      await this.pc.setRemoteDescription({ type: 'answer', sdp: message.answer.sdp });
      this.send(this.waiting.splice(0));
    }
    for (const c of message.candidates ?? []) await this.pc.addIceCandidate(c);
  }

  // candidate trickles ours. Names that only multicast DNS knows are no use to a
  // camera that does not speak it: it learns our address from the first check.
  candidate(candidate) {
    if (candidate && / \S+\.local /.test(candidate.candidate)) return;
    const next = candidate ? candidate.toJSON() : null;
    if (this.id) this.send([next]);
    else this.waiting.push(next);
  }

  send(list) {
    if (list.length === 0) return;
    const candidates = list.filter((c) => c !== null);
    post('candidates', { session: this.id, candidates, done: candidates.length < list.length }, this.abort.signal)
      .catch(() => {}); // a session that has ended says so itself
  }

  track(track) {
    if (session !== this) return;
    picture.srcObject.addTrack(track);
    if (track.kind === 'audio') $('sound').disabled = false;
    if (track.kind === 'video') picture.requestVideoFrameCallback(() => this.seen());
  }

  seen() {
    if (session !== this) return;
    const milliseconds = Math.round(performance.now() - this.began);
    $('notice').hidden = true;
    $('stage').dataset.old = 'false';
    pause = firstPause;
    this.live = true;
    say('live', 'Live');
    picture.requestVideoFrameCallback((now, frame) => this.frame(now, frame));
    post('seen', { milliseconds }, this.abort.signal).catch(() => {});
  }

  frame(_, { receiveTime, expectedDisplayTime }) {
    if (session !== this) return;
    if (receiveTime !== undefined) this.shown = Math.max(0, expectedDisplayTime - receiveTime);
    picture.requestVideoFrameCallback((now, frame) => this.frame(now, frame));
  }

  changed() {
    if (session !== this) return;
    switch (this.pc.connectionState) {
      // A busy browser may tell this after the first picture.
      case 'connecting': if (!this.live) say('waiting', 'Connecting…'); break;
      case 'connected': if (this.live && !this.quiet) say('live', 'Live'); break;
      case 'disconnected': if (!this.quiet) say('waiting', 'The connection falters…'); break;
      case 'failed': this.end('The connection to the camera was lost.');
    }
  }

  end(sentence) {
    if (session !== this) return;
    this.stop();
    explain(sentence);
  }

  stop() {
    session = null;
    this.abort.abort();
    this.pc.close();
    picture.srcObject = null;
    $('sound').disabled = true;
    forget();
  }

  // silent tells whether nothing comes any more, and says so.
  silent(bytes) {
    if (bytes !== this.bytes || !this.live) {
      if (this.quiet) {
        say('live', 'Live');
        $('stage').dataset.old = 'false';
      }
      this.heard = performance.now();
      this.bytes = bytes;
      this.quiet = false;
      return false;
    }
    const since = performance.now() - this.heard;
    if (since >= lostAfter) this.end('Nothing has come from the camera for ten seconds.');
    else if (since >= silentAfter) {
      this.quiet = true;
      this.before = undefined;
      say('waiting', 'Nothing comes any more');
      forget();
    }
    return since >= silentAfter;
  }

  async measure() {
    let video, pair, bytes = 0;
    for (const s of (await this.pc.getStats()).values()) {
      if (s.type === 'inbound-rtp') bytes += s.bytesReceived;
      if (s.type === 'inbound-rtp' && s.kind === 'video') video = s;
      if (s.type === 'candidate-pair' && s.nominated) pair = s;
    }
    if (session !== this || this.silent(bytes) || !video) return;
    const { before = video } = this;
    const seconds = (video.timestamp - before.timestamp) / 1000;
    if (seconds > 0 && seconds < 0.9) return;
    this.before = video;
    if (video.frameWidth) $('size').textContent = `${video.frameWidth} × ${video.frameHeight}`;
    if (seconds <= 0) return;
    $('fps').textContent = ((video.framesDecoded - before.framesDecoded) / seconds).toFixed(1);
    $('rate').textContent = `${Math.round((video.bytesReceived - before.bytesReceived) * 8 / 1000 / seconds)} kbit/s`;
    const network = 500 * (pair?.currentRoundTripTime ?? 0); // half of it, in milliseconds
    if (this.shown !== undefined) $('delay').textContent = `${Math.round(network + this.shown)} ms`;
  }
}

function codecs(kind, wanted) {
  const list = (RTCRtpReceiver.getCapabilities(kind)?.codecs ?? []).filter(wanted);
  if (list.length === 0) throw new Problem(`This browser has no ${kind === 'video' ? 'H.264' : 'Opus'}, which the camera sends. Use another browser.`);
  // Constrained baseline first: every camera's encoder can make it.
  return list.sort((a, b) => rank(a) - rank(b));
}

const rank = ({ sdpFmtpLine = '' }) => (sdpFmtpLine.includes('profile-level-id=42e01f') ? 0 : 1);

export async function* lines(stream) {
  let rest = '';
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    yield* parts;
  }
}

function start() {
  clearTimeout(timer);
  if (session) return;
  say('waiting', 'Connecting…');
  let mine;
  try {
    session = mine = new Session();
  } catch {
    explain('This browser has no WebRTC, or it is switched off.');
    return;
  }
  mine.run().catch((error) => {
    mine.end(error instanceof Problem ? error.message : error instanceof TypeError ? gone : `The picture can’t be shown: ${error.message}.`);
  });
}

// again asks at once, for a reason to think that it works now.
export function again() {
  if (session) return;
  pause = firstPause;
  start();
}

function setSound(on) {
  picture.muted = !on;
  $('sound').setAttribute('aria-pressed', String(on));
  $('sound').textContent = on ? 'Turn sound off' : 'Turn sound on';
  if (on) picture.play().catch(() => setSound(false));
}

$('sound').addEventListener('click', () => setSound(picture.muted));
$('retry').addEventListener('click', again);
$('full').addEventListener('click', () => (document.fullscreenElement ? document.exitFullscreen() : $('stage').requestFullscreen()));
addEventListener('pagehide', () => session?.stop());
addEventListener('pageshow', ({ persisted }) => { if (persisted) start(); });

// The stage has the picture's shape, so that there is no black beside it.
picture.addEventListener('resize', () => {
  if (picture.videoWidth) $('stage').style.setProperty('--ratio', String(picture.videoWidth / picture.videoHeight));
});
setInterval(() => session?.measure(), 500);
start();

// How a live session goes, in numbers; and whether anything comes at all.
const every = 500, silentAfter = 2000, lostAfter = 10000, apart = 900; // milliseconds

export class Stats {
  #pc;
  #onsilent;
  #onlost;
  #timer;
  #bytes = 0;
  #heard = 0; // when something came last; 0: nothing yet
  #before;
  #numbers = {};
  #last;

  /** onsilent is called with true when nothing comes, and with false when it does again; onlost after ten seconds. */
  constructor(pc, onsilent, onlost) {
    this.#pc = pc;
    this.#onsilent = onsilent;
    this.#onlost = onlost;
    this.#timer = setInterval(() => this.#measure().catch(() => {}), every); // of one that was closed meanwhile
  }

  close() { clearInterval(this.#timer); }

  /** read returns the newest numbers. */
  async read() { return { ...this.#numbers }; }

  /** shown takes what the browser says of a picture that it shows. */
  shown({ receiveTime, expectedDisplayTime } = {}, began) {
    this.#numbers.first ??= Math.round(performance.now() - began);
    if (receiveTime !== undefined) this.#last = Math.max(0, expectedDisplayTime - receiveTime);
  }

  async #measure() {
    let video, pair, bytes = 0;
    const all = await this.#pc.getStats();
    for (const s of all.values()) {
      if (s.type === 'inbound-rtp') bytes += s.bytesReceived;
      if (s.type === 'inbound-rtp' && s.kind === 'video') video = s;
      if (s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded') pair = s;
    }
    this.#silence(bytes);
    if (pair) {
      const relay = [pair.localCandidateId, pair.remoteCandidateId].some((id) => all.get(id)?.candidateType === 'relay');
      this.#numbers.path = relay ? 'relay' : 'direct';
    }
    if (video) this.#rates(video, pair);
  }

  #silence(bytes) {
    const now = performance.now();
    if (bytes !== this.#bytes) {
      [this.#bytes, this.#heard] = [bytes, now];
      this.#onsilent(false);
    } else if (this.#heard && now - this.#heard >= lostAfter) {
      this.#onlost();
    } else if (this.#heard && now - this.#heard >= silentAfter) {
      this.#before = undefined;
      for (const name of ['fps', 'kbps', 'delay']) delete this.#numbers[name]; // what was true is not any more
      this.#onsilent(true);
    }
  }

  #rates(video, pair) {
    const { before = video } = { before: this.#before };
    const seconds = (video.timestamp - before.timestamp) / 1000;
    if (seconds > 0 && seconds < apart / 1000) return;
    this.#before = video;
    this.#numbers.lost = video.packetsLost;
    if (video.frameWidth) Object.assign(this.#numbers, { width: video.frameWidth, height: video.frameHeight });
    if (seconds <= 0) return;
    this.#numbers.fps = Math.round((video.framesDecoded - before.framesDecoded) / seconds * 10) / 10;
    this.#numbers.kbps = Math.round((video.bytesReceived - before.bytesReceived) * 8 / 1000 / seconds);
    const network = 500 * (pair?.currentRoundTripTime ?? 0); // half of it, in milliseconds
    if (this.#last !== undefined) this.#numbers.delay = Math.round(network + this.#last);
  }
}

// When a screen reads what it shows. Once is not enough: the camera may be away at that moment,
// and once it is back, what it said before may not be so any more.

/**
 * Reading is a controller of lit's. It reads as soon as its host is in the document, again
 * whenever the camera is reached again, and when an alarm about its log begins or ends: that
 * decides what is believed. With entries, it reads again with each entry of the log, too.
 */
export class Reading {
  #host;
  #read;
  #what;
  #quiet;
  #entries;
  #camera;
  #online = false;
  #alarm = false;
  #fresh = false;   // what was read is as the camera has it: it was not away since
  #reading = false;
  #again = false;   // there is something that the reading under way may have missed
  #back = false;    // the camera came back meanwhile: if this reading fails, another one need not

  /**
   * @param {import('lit').ReactiveControllerHost & {camera: EventTarget}} host a View
   * @param {() => Promise<void>} read throws if it could not
   * @param {{what?: string, quiet?: boolean, entries?: boolean}} [how] what: said during the first reading; quiet: failures are not said
   */
  constructor(host, read, { what = '', quiet = false, entries = false } = {}) {
    this.#host = host;
    this.#read = read;
    this.#what = what;
    this.#quiet = quiet;
    this.#entries = entries;
    host.addController(this);
  }

  hostConnected() { this.#follow(this.#host.camera); }

  hostUpdate() { if (this.#host.isConnected) this.#follow(this.#host.camera); }

  hostDisconnected() { this.#follow(undefined); }

  #changed = () => {
    const { link, alarm } = this.#camera.state, was = this.#online, alarmed = this.#alarm;
    [this.#online, this.#alarm] = [link === 'online', Boolean(alarm)];
    if (!this.#online) this.#fresh = false;
    if (this.#alarm !== alarmed) this.now();
    else if (this.#online && !was && !this.#fresh) {
      if (this.#reading) this.#back = true;
      else this.now();
    }
  };

  #entered = () => { if (this.#entries) this.now(); };

  #follow(camera) {
    if (camera === this.#camera) return;
    this.#camera?.removeEventListener('change', this.#changed);
    this.#camera?.removeEventListener('entry', this.#entered);
    this.#camera = camera;
    if (!camera) return;
    camera.addEventListener('change', this.#changed);
    camera.addEventListener('entry', this.#entered);
    [this.#online, this.#alarm] = [camera.state.link === 'online', Boolean(camera.state.alarm)];
    this.now();
  }

  /** now reads again, or once more after the reading that is under way. */
  async now() {
    this.#again = true;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#camera && (this.#again || this.#back && !this.#fresh)) {
      this.#again = this.#back = false;
      this.#fresh = await this.#once();
    }
    this.#reading = this.#back = false;
  }

  async #once() {
    let done = false;
    const read = async () => {
      await this.#read();
      done = true;
    };
    if (this.#quiet) await read().catch(() => {});
    else await this.#host.attempt(this.#what, read);
    if (!done && this.#camera && this.#camera.state.link !== 'online') this.#host.problem = ''; // the screen says above how the camera is reached
    this.#what = ''; // afterwards there is something to see meanwhile
    return done;
  }
}

// What browsers have, and Node 18 (Debian 12) does not have as globals. Import it first.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, { detail, ...more } = {}) { super(type, more); this.detail = detail; }
};

// A request that nobody waits for any more must not keep the process until its time is over.
const later = globalThis.setTimeout;
globalThis.setTimeout = (run, ms, ...more) => {
  const timer = later(run, ms, ...more);
  if (ms >= 10000) timer.unref();
  return timer;
};

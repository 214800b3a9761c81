// What browsers have, and Node 18 (Debian 12) does not have as globals. Import it first.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, { detail, ...more } = {}) { super(type, more); this.detail = detail; }
};

// The page's policy lets no text become a script's address, but by a rule that is named there
// (web.Policy), and that can be made once.
const rule = globalThis.trustedTypes?.createPolicy('camd-worker', { createScriptURL: () => 'sw.js' });

/** workerURL is the address of the service worker. */
export const workerURL = rule ? rule.createScriptURL('') : 'sw.js';

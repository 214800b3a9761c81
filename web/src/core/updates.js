// How a camera's own update stands: docs/protocol.md 12.1.
import { line } from '../../setup/problem.js';
import { ofSeconds } from './dates.js';
import { moment } from './history.js';

const text = (t) => (typeof t === 'string' ? t.split('\n').map(line).join('\n') : '');

const states = {
  available: (offered) => `${offered} will be installed`,
  downloading: (offered, percent) => `${offered} is being downloaded, ${percent} %`,
  installing: (offered, percent) => `${offered} is being installed, ${percent} %`,
  installed: (offered) => `${offered} is installed, and runs after the next start`,
  restarting: (offered) => `The camera restarts into ${offered.replace('Version', 'version')}`,
  trial: (offered) => `${offered} runs, and has to prove itself`,
  off: () => 'This camera gets no updates over the network',
  current: () => 'The camera is up to date',
  refused: () => 'What the update server offers was refused',
  failed: (offered) => `${offered} failed, and is not tried again`,
};

// In these states an offered release stands in the public log: the camera verified that.
const logged = ['available', 'downloading', 'installing', 'installed', 'restarting', 'trial'];

/** @returns {import('./types.js').Update} */
export function readUpdate(u, zone) {
  const percent = Number.isSafeInteger(u.percent) ? Math.min(100, Math.max(0, u.percent)) : 0;
  const offered = `Version ${line(u.offered ?? '')}${u.security ? ', which closes a security hole,' : ''}`;
  const say = Object.hasOwn(states, u.state) ? states[u.state] : () => `“${line(u.state)}”, which this page does not know`;
  let sentence = say(offered, percent);
  if (u.postponed > 0 && ['available', 'installed'].includes(u.state)) sentence += `, put off until ${moment(u.postponed, zone)}`;
  const reason = text(u.reason);
  return {
    state: line(u.state), version: line(u.version ?? ''), offered: line(u.offered ?? ''), notes: text(u.notes), security: u.security === true, percent,
    checked: ofSeconds(u.checked), postponed: ofSeconds(u.postponed), latest: ofSeconds(u.latest), reason, logged: Boolean(u.offered) && logged.includes(u.state),
    sentence: reason ? `${sentence}: ${reason}` : `${sentence}.`,
  };
}

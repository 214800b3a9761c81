// The household: who watches, privacy mode, what happens, and whether the access log
// is proved. What happens comes as a stream of JSON lines as long as the page is open.

import { $, post, Problem, lines, again } from './app.js';

const statusEvery = 5000, streamPause = 2000, maxEvents = 200;

let newest = -1, epoch = 0; // of the last entry that is shown

// unknown takes away what was true when the camera answered last.
function unknown() {
  $('watching').textContent = '–';
  $('privacy').disabled = true;
  $('verified').dataset.state = 'waiting';
  $('verified').textContent = 'The camera does not answer now.';
}

async function refresh() {
  let status;
  try {
    const answer = await fetch('status');
    if (!answer.ok) return unknown();
    status = await answer.json();
  } catch { return unknown(); } // the picture tells that the demo is gone
  $('name').textContent = document.title = status.name || 'Camera';
  const names = status.sessions.map((s) => s.name || 'someone');
  $('watching').textContent = names.length === 0 ? 'nobody' : [...new Set(names)].join(', ');
  showPrivacy(status.privacy);
  $('talk').hidden = !status.may_talk;
  $('alarm').hidden = !status.alarm;
  $('alarm').textContent = status.alarm;
  $('unanswered').textContent = status.unanswered.length === 0 ? ''
    : `The camera has not confirmed yet that these are removed: ${status.unanswered.join(', ')}.`;
  $('verified').dataset.state = status.alarm ? 'failed' : 'good';
  $('verified').textContent = status.alarm ? 'The access log is not verified: see the alarm.'
    : `Access log verified up to entry ${status.verified - 1}: it only grew.`;
}

function showPrivacy(on) {
  $('privacy').disabled = false;
  $('privacy').setAttribute('aria-checked', String(on));
}

async function switchPrivacy() {
  const on = $('privacy').getAttribute('aria-checked') !== 'true';
  $('privacy').disabled = true;
  $('privacynote').textContent = '';
  try {
    const answer = await post('privacy', { on });
    showPrivacy((await answer.json()).on);
    if (!on) again();
  } catch (error) {
    $('privacynote').textContent = error instanceof Problem ? error.message : 'The demo can’t be reached any more.';
    showPrivacy(!on);
  }
}

// add shows one line, the newest first.
function add(time, text, kind) {
  const item = document.createElement('li');
  if (kind) item.dataset.kind = kind;
  if (time) {
    const at = document.createElement('time');
    at.dateTime = time;
    at.textContent = time.slice(11, 19); // the household's own clock
    item.append(at, ' ');
  }
  item.append(text);
  $('events').prepend(item);
  while ($('events').children.length > maxEvents) $('events').lastElementChild.remove();
}

function take({ event, warning, over }) {
  if (warning) add('', warning, 'warning');
  if (over) add('', over, 'warning');
  if (!event || event.entry.ep === epoch && event.n <= newest) return;
  newest = event.n;
  epoch = event.entry.ep; // each has a log of its own, which begins at 0
  const kind = event.entry.k;
  const warns = ['alarm', 'rollback', 'evict', 'reset'].includes(kind) || kind === 'update' && ['fork', 'refused', 'failed'].includes(event.entry.step);
  add(event.time, event.sentence, warns ? 'warning' : kind);
  if (kind === 'privacy' && event.entry.why === 'off') again();
  refresh();
}

async function listen() {
  for (;;) {
    try {
      const answer = await fetch('events');
      if (answer.ok) for await (const line of lines(answer.body)) take(JSON.parse(line));
    } catch { /* the picture tells that the demo is gone */ }
    await new Promise((done) => setTimeout(done, streamPause));
  }
}

$('privacy').addEventListener('click', switchPrivacy);
setInterval(refresh, statusEvery);
refresh();
listen();

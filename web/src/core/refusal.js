// What goes wrong, in sentences: the camera's codes, and what a page sees by itself.
import { line, Problem } from '../../setup/problem.js';
import { codes, ends, talkEnds } from './sentences.js';

const own = (table, key) => (Object.hasOwn(table, key) ? table[key] : undefined);

/** sentenceOf is what a person reads for a code of the camera's. */
export const sentenceOf = (code) => own(codes, code) ?? `The camera answered with a code that this page does not know: ${line(code)}. Update the page.`;

/** refused is the Problem for a code that the camera answered. */
export const refused = (code) => Object.assign(new Problem(line(code), sentenceOf(code)), { answered: true });

/** endSentence says why a session, or a talk, ended. */
export function endSentence(reason, talk = false) {
  const said = own(talk ? talkEnds : ends, reason) ?? own(codes, reason);
  return said ?? `The camera ended the ${talk ? 'talk' : 'session'}: ${line(reason)}.`;
}

const sentences = {
  down: 'The broker can\'t be reached now. The page keeps trying to reach it; what you asked for was not done.',
  offline: 'The camera is offline: it has no connection to its broker. Look at its power and its network.',
  silent: 'The camera does not answer, and its broker does not say whether it is online. Look at its power and its network. If someone has removed you, or reset the camera, ask an owner to add you again.',
  unknown: 'The camera does not answer, though its broker says that it is online. It may be busy, or it no longer knows this key: then ask an owner to add you again.',
  repeating: 'The camera kept asking to try again. Something between here and the camera delays or repeats messages.',
  alarmed: 'The camera gives nobody any rights on your word while the alarm about its access log stands: what you have seen of the log is not what it shows now. End the alarm once you know why.',
  garbled: 'The camera sent an answer that can\'t be read. Update the page, or the camera.',
  large: 'This is more than fits into a message to the camera. Make it shorter.',
};

/** failure is a Problem that the page sees by itself. */
export const failure = (code, cause) => new Problem(code, sentences[code], { cause });

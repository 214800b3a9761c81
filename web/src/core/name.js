// What a camera is called before anybody has named it, or as long as this browser has not heard how.
import { line } from '../../setup/problem.js';

/** nameOf returns the name that is kept of a camera, or one with the beginning of its id. */
export const nameOf = ({ name, device }) => line(name || `Camera ${String(device).slice(0, 6)}`);

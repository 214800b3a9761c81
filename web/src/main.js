// The page: ui draws what core knows.
import { Home } from './core/home.js';

const home = await Home.open();
document.body.textContent = `This browser's key: ${home.keys.words}`;

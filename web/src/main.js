// The page: ui draws what core knows.
import { Home } from './core/home.js';
import { start } from './ui/app.js';

start(() => Home.open());

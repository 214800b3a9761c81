// The page with a stand-in for core. The scenario is in the address: ?scenario=one#/…
import { start } from '../src/ui/app.js';
import { homeOf } from './standin.js';

start(async () => homeOf(new URLSearchParams(location.search).get('scenario') ?? 'one'));

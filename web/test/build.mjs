// Makes the page with the stand-in: node test/build.mjs FOLDER
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url)), out = process.argv[2];
mkdirSync(out, { recursive: true });
await build({ entryPoints: { app: join(here, 'main.js') }, bundle: true, format: 'esm', outdir: out, logLevel: 'warning' });
await build({ entryPoints: { app: join(here, '../src/ui/app.css') }, bundle: true, outdir: out, logLevel: 'warning' });
cpSync(join(here, '../src/static'), out, { recursive: true });
await build({ entryPoints: { sw: join(here, '../src/ui/sw.js') }, bundle: true, outdir: out, logLevel: 'warning', loader: { '.png': 'dataurl' }, define: { SHELL: '[]', VERSION: '"test"' } });

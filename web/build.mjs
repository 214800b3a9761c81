// Makes the page that is served, from src: node build.mjs [FOLDER], dist if none is named.
// The same sources and the same lock file give the same bytes: web_test.go compares.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, 'dist');

const common = {
  absWorkingDir: here, bundle: true, format: 'esm', target: ['chrome137', 'firefox130', 'safari17'],
  minify: true, charset: 'utf8', legalComments: 'eof', logLevel: 'warning',
};

const source = (path) => existsSync(join(here, path)) && path;

rmSync(out, { recursive: true, force: true });
cpSync(join(here, 'src/static'), out, { recursive: true }); // index.html, manifest, icons: as they are
await build({ ...common, entryPoints: [join(here, 'src/main.js')], outfile: join(out, 'app.js') });
const style = source('src/ui/app.css');
if (style) await build({ ...common, entryPoints: [join(here, style)], outfile: join(out, 'app.css') });

// The service worker keeps the shell, and gets its list and a version that changes with it.
const worker = source('src/ui/sw.js');
if (worker) {
  const shell = readdirSync(out, { recursive: true, withFileTypes: true }).filter((f) => f.isFile())
    .map((f) => join(f.parentPath ?? f.path, f.name).slice(out.length + 1)).sort();
  const hash = createHash('sha256');
  for (const file of shell) hash.update(file).update(readFileSync(join(out, file)));
  await build({
    ...common, entryPoints: [join(here, worker)], outfile: join(out, 'sw.js'), format: 'iife', loader: { '.png': 'dataurl' },
    define: { SHELL: JSON.stringify(shell), VERSION: JSON.stringify(hash.digest('hex').slice(0, 16)) },
  });
}

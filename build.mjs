/**
 * Bundles the programs and the SDK, after tsc has checked and emitted the tree: a program that loads a handful of files starts
 * in half the time of one that loads five hundred (docs/decisions/0005-bundled-programs.md).
 *
 * Owns: dist/programs/ and dist/sdk/. Every entry, chunk and worker job of one lies in that one folder, because a job is named
 * relative to the module that starts it (common/workers/job-url.ts) and a bundle has one place only. The SDK is there as ES
 * modules and as CommonJS, which Jest and older projects load; nothing of the server is in it. Its part for browsers is one
 * file that imports nothing.
 */
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const PROGRAMS = ['embedded', 'flintd', 'flints', 'flint'].map((name) => `cli/programs/${name}.ts`);
/** package.json, exports. */
const SDK = ['client/index.ts', 'client/testing/memory-server.ts'];
const BROWSER_SDK = ['client/http.ts'];

function jobsOf(floors) {
  const jobs = floors.flatMap((floor) =>
    readdirSync(floor, { recursive: true })
      .filter((path) => path.endsWith('.job.ts'))
      .map((path) => join(floor, path)),
  );
  const names = jobs.map((path) => basename(path));
  if (new Set(names).size !== names.length) {
    throw new Error(
      `Two worker jobs have the same name, which a bundle cannot keep apart: ${names.join(', ')}`,
    );
  }
  return jobs;
}

const COMMON = {
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  logLevel: 'warning',
  metafile: true,
};
const MODULES = { ...COMMON, format: 'esm', splitting: true };
/** What import.meta.url says to a module, said to CommonJS. */
const COMMON_JS = {
  ...COMMON,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.url': 'moduleUrl' },
  banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
};

/** Whole, so that a page loads it without a bundler of its own; an import of Node's would be an error here. */
const BROWSER = { ...COMMON, platform: 'browser', target: 'es2022', packages: 'bundle' };

async function bundle(outdir, builds) {
  const results = await Promise.all(builds.map((options) => build({ ...options, outdir })));
  const written = new Set(
    results.flatMap(({ metafile }) => Object.keys(metafile.outputs).map((path) => basename(path))),
  );
  // Chunks of the build before go last, so that a program that starts meanwhile finds all of its own.
  for (const name of readdirSync(outdir)) {
    if (!written.has(name)) rmSync(join(outdir, name));
  }
}

await bundle('dist/programs', [
  { ...MODULES, entryPoints: [...PROGRAMS, ...jobsOf(['query', 'server', 'storage', 'wire'])] },
]);
await bundle('dist/sdk', [
  { ...MODULES, entryPoints: [...SDK, ...jobsOf(['wire'])] },
  { ...COMMON_JS, entryPoints: SDK },
  { ...BROWSER, format: 'esm', entryPoints: BROWSER_SDK },
  { ...BROWSER, format: 'cjs', outExtension: { '.js': '.cjs' }, entryPoints: BROWSER_SDK },
]);

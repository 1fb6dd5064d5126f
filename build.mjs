/**
 * Bundles the programs, after tsc has checked and emitted the tree: a program that loads a handful of files starts in
 * half the time of one that loads five hundred (docs/decisions/0005-bundled-programs.md).
 *
 * Owns: dist/programs/. Every entry, chunk and worker job lies in that one folder, because a job is named relative to the
 * module that starts it (common/workers/job-url.ts) and a bundle has one place only.
 */
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const OUTPUT = 'dist/programs';
const PROGRAMS = ['flintd', 'flints', 'flint'].map((name) => `cli/programs/${name}.ts`);
const FLOORS_WITH_JOBS = ['query', 'server', 'storage', 'wire'];

const jobs = FLOORS_WITH_JOBS.flatMap((floor) =>
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

const { metafile } = await build({
  entryPoints: [...PROGRAMS, ...jobs],
  outdir: OUTPUT,
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  logLevel: 'warning',
  metafile: true,
});

// Chunks of the build before go last, so that a program that starts meanwhile finds all of its own.
const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync(OUTPUT)) {
  if (!written.has(name)) rmSync(join(OUTPUT, name));
}

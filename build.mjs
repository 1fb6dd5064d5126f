/**
 * Bundles the programs and the SDK, after tsc has checked and emitted the tree: a program that loads a handful of files starts
 * in half the time of one that loads five hundred (docs/decisions/0005-bundled-programs.md).
 *
 * Owns: dist/programs/ and dist/sdk/. All programs are one file of CommonJS, which load-programs.js hands to V8 together with what V8
 * compiled of it the last time; every worker job is a file beside it, because a job is named relative to the module that starts it
 * (common/workers/job-url.ts) and a bundle has one place only. The SDK is there as ES modules and as CommonJS, which Jest and older
 * projects load; nothing of the server is in it. Its part for browsers is one file that imports nothing.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';

const STARTED = ['flintd', 'flints', 'flint'];
const ALL_PROGRAMS = 'cli/programs/all-programs.ts';
const LOADER = 'cli/programs/load-programs.ts';
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

/** What the programs need at every start is a part of them; it may have no files that it looks for beside itself. */
function packagesBut(bundled) {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  return Object.keys(dependencies).filter((name) => !bundled.includes(name));
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

/** In the folder's package.json it says that its files are CommonJS. */
const PROGRAMS = {
  ...COMMON,
  format: 'cjs',
  packages: undefined,
  external: packagesBut(['bson']),
  // A script that V8 did not compile anew has lost its import().
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': 'moduleUrl' },
  // A line of its own for the stack traces of crash reports; nothing but ASCII, so that V8 keeps one byte per character.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 160,
  legalComments: 'none',
  // For reading a trace beside the sources, which are not published.
  sourcesContent: false,
  banner: { js: COMMON_JS.banner.js },
};

async function bundle(outdir, builds) {
  const results = await Promise.all(builds.map((options) => build({ ...options, outdir })));
  return results.flatMap(({ metafile }) =>
    Object.keys(metafile.outputs).map((path) => basename(path)),
  );
}

/** What the build before has left goes last, so that a program that starts meanwhile finds all of its own. */
function removeOthers(outdir, written) {
  for (const name of readdirSync(outdir)) {
    if (!written.includes(name)) rmSync(join(outdir, name), { recursive: true });
  }
}

async function bundlePrograms(outdir) {
  const written = await bundle(outdir, [
    {
      ...PROGRAMS,
      entryPoints: { programs: ALL_PROGRAMS },
      // One expression, which load-programs.ts calls.
      banner: {
        js: `(function (exports, require, module, __filename, __dirname) {${COMMON_JS.banner.js}`,
      },
      footer: { js: '})' },
    },
    { ...PROGRAMS, entryPoints: jobsOf(['query', 'server', 'storage', 'wire']) },
  ]);
  const text = readFileSync(join(outdir, 'programs.js'));
  if (text.some((byte) => byte > 127)) throw new Error('programs.js is not ASCII alone');
  const checksum = createHash('sha256').update(text).digest('hex').slice(0, 16);
  written.push(
    ...(await bundle(outdir, [
      {
        ...PROGRAMS,
        entryPoints: [LOADER],
        define: { ...PROGRAMS.define, BUNDLE_CHECKSUM: JSON.stringify(checksum) },
      },
    ])),
  );
  const write = (name, content) => {
    writeFileSync(join(outdir, name), `${content}\n`);
    written.push(name);
  };
  write('package.json', '{ "type": "commonjs" }');
  const load = "require('./load-programs.js').loadPrograms()";
  for (const name of STARTED) write(`${name}.js`, `void ${load}.${name}();`);
  write(
    'embedded.js',
    `exports.startEmbedded = async (args) => (await ${load}.embedded()).startEmbedded(args);`,
  );
  removeOthers(outdir, written);
}

async function bundleSdk(outdir) {
  const written = await bundle(outdir, [
    { ...MODULES, entryPoints: [...SDK, ...jobsOf(['wire'])] },
    { ...COMMON_JS, entryPoints: SDK },
    { ...BROWSER, format: 'esm', entryPoints: BROWSER_SDK },
    { ...BROWSER, format: 'cjs', outExtension: { '.js': '.cjs' }, entryPoints: BROWSER_SDK },
  ]);
  removeOthers(outdir, written);
  for (const name of written) if (/\.c?js$/.test(name)) restoreClassNames(join(outdir, name));
}

/**
 * A class that names itself becomes `var FlintClient = class _FlintClient`, and that is what people would read wherever its name is shown.
 * (The bundler's own way, keepNames, costs a call for every function made at run time.)
 */
function restoreClassNames(path) {
  let text = readFileSync(path, 'utf8');
  for (const [, name] of text.matchAll(/\bvar (\w+) = class _\1\b/g)) {
    text = text.replaceAll(new RegExp(`\\b_${name}\\b`, 'g'), name);
  }
  writeFileSync(path, text);
}

/** Entries of package.json whose types there are. */
const TYPED = ['client/index', 'client/testing/memory-server', 'client/http'];

/**
 * The declarations once more, as those of CommonJS modules: TypeScript refuses to `require` what it takes for an ES module, and by the
 * package.json above them it does. Only after tsc has emitted any.
 */
function copyDeclarations(outdir) {
  if (!existsSync(`dist/${TYPED[0]}.d.ts`)) return;
  rmSync(outdir, { recursive: true, force: true });
  const copied = new Set();
  const waiting = TYPED.map((name) => `${name}.d.ts`);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (copied.has(path)) continue;
    copied.add(path);
    const text = readFileSync(join('dist', path), 'utf8');
    mkdirSync(join(outdir, dirname(path)), { recursive: true });
    writeFileSync(join(outdir, path), text);
    for (const [, name] of text.matchAll(/(?:from |import\()'(\.[^']*)\.ts'/g)) {
      waiting.push(join(dirname(path), `${name}.d.ts`));
    }
  }
  writeFileSync(join(outdir, 'package.json'), '{ "type": "commonjs" }\n');
}

await bundlePrograms('dist/programs');
await bundleSdk('dist/sdk');
copyDeclarations('dist/commonjs');

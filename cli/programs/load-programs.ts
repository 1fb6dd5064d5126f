/**
 * Loads the bundle of all programs, with what V8 made of it the last time: to compile it takes longer than all else in a start.
 *
 * Owns: the files `programs.<build>.<V8>.code` beside the bundle. V8 itself looks at little more than the length of a source, so the
 * name has a checksum of the bundle, and of V8's version, flags and processor; the content has one in front.
 * Promises: code that is missing, damaged, or another's is as none: the bundle is compiled, and the code kept for the next start. Where
 * nothing can be kept, as in an installation of another user, starts take a little longer, and that is all.
 * Loaded by the starters of dist/programs (build.mjs); sources do without.
 */
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';
import type { PROGRAMS } from './all-programs.ts';

/** Of the bundle's text; set by build.mjs. */
declare const BUNDLE_CHECKSUM: string;

const BUNDLE_NAME = 'programs.js';
const SUFFIX = '.code';
/** Size of the checksum in front of the code. */
const HEADER_BYTES = 4;
/** What a server needs to answer its first clients is compiled by then, and becomes a part of it. */
const KEPT_AFTER_MS = 500;
/** As many versions and settings of Node side by side; each has a megabyte or two. */
const MOST_KEPT = 6;

type Programs = typeof PROGRAMS;

export function loadPrograms(): Programs {
  const folder = __dirname;
  const path = join(folder, BUNDLE_NAME);
  const codePath = join(
    folder,
    `programs.${BUNDLE_CHECKSUM}.${cachedDataVersionTag().toString(16)}${SUFFIX}`,
  );
  const cachedData = tryReadCode(codePath);
  const script = new Script(readFileSync(path, 'latin1'), {
    filename: path,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  if (cachedData === undefined || script.cachedDataRejected === true) {
    setTimeout(() => keepCode(script, codePath), KEPT_AFTER_MS).unref();
  }
  const module: { exports: { PROGRAMS?: Programs } } = { exports: {} };
  const wrapper: unknown = script.runInThisContext();
  if (typeof wrapper !== 'function') throw new Error(`${path} is no bundle of programs`);
  Reflect.apply(wrapper, module.exports, [module.exports, realRequire(path), module, path, folder]);
  const { PROGRAMS: programs } = module.exports;
  if (programs === undefined) throw new Error(`${path} has no programs`);
  return programs;
}

/** Node's own, also where a test runner puts another one in the place of `require`: the bundle lives in the main context. */
function realRequire(path: string): NodeJS.Require {
  return process.getBuiltinModule('node:module').createRequire(path);
}

function tryReadCode(path: string): Buffer | undefined {
  try {
    const content = readFileSync(path);
    const code = content.subarray(HEADER_BYTES);
    return code.length > 0 && crc32(code) === content.readUInt32LE(0) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Whole or not at all; several processes may do it at once. */
function keepCode(script: Script, path: string): void {
  const unfinished = `${path}.${process.pid}`;
  try {
    const code = script.createCachedData();
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(crc32(code));
    const file = openSync(unfinished, 'wx', 0o644);
    try {
      writeSync(file, header);
      writeSync(file, code);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
    removeOldest(dirname(path));
  } catch {
    rmSync(unfinished, { force: true });
  }
}

function removeOldest(folder: string): void {
  const kept = readdirSync(folder)
    .filter((name) => name.startsWith('programs.') && name.includes(SUFFIX))
    .map((name) => ({ path: join(folder, name), ms: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.ms - a.ms);
  for (const { path } of kept.slice(MOST_KEPT)) rmSync(path, { force: true });
}

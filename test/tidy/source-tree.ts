/**
 * The source tree as the tidy tests see it: floors, files and their imports, read as text.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROJECT_ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** The floors of docs/architecture.md. */
export const FLOORS = [
  'bson',
  'cli',
  'client',
  'common',
  'config-server',
  'query',
  'router',
  'server',
  'storage',
  'wire',
] as const;

/** Paths of all files below a folder of the project, relative to the project, with the given ending. */
export function filesBelow(folder: string, ending: string): string[] {
  const absolute = join(PROJECT_ROOT, folder);
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(PROJECT_ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules'))
    .toSorted();
}

/** All source files of the package. */
export function sourceFiles(): string[] {
  return FLOORS.flatMap((floor) => filesBelow(floor, '.ts'));
}

export function readProjectFile(path: string): string {
  return readFileSync(join(PROJECT_ROOT, path), 'utf8');
}

/** Project paths of the files that a file names: static and dynamic imports, and worker jobs. */
export function filesNamedBy(path: string): string[] {
  const text = readProjectFile(path);
  const relativeImports = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+\.ts)'/g)].map(
    (match) => match[1],
  );
  const jobs = [...text.matchAll(/jobUrl\(import\.meta\.url,\s*'(\.{1,2}\/[^']+\.job)'/g)].map(
    (match) => `${match[1]}.ts`,
  );
  return [...relativeImports, ...jobs].map((name) =>
    relative(PROJECT_ROOT, resolve(PROJECT_ROOT, dirname(path), name)),
  );
}

/** Project paths of the modules that are loaded before a file runs: its static imports, but for those of types alone. */
export function filesLoadedWith(path: string): string[] {
  const statements = readProjectFile(path).matchAll(
    /^(?:import|export)(?! type\b)(?: ([^;]*?) from)? '(\.{1,2}\/[^']+\.ts)';/gms,
  );
  return [...statements]
    .filter(([, names = '']) => !/^\{(?:\s*type [^,}]+,?)+\s*\}$/.test(names))
    .map(([, , name]) => relative(PROJECT_ROOT, resolve(PROJECT_ROOT, dirname(path), name)));
}

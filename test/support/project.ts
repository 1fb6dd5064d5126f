/**
 * A project that has FlintDB installed, as npm would install it: the published files, and what they depend on.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Clients that are installed apart from the tree. */
const CLIENTS = join(ROOT, 'test/clients/node_modules');

/** @param packages besides flintdb. @returns its directory; the caller removes it. */
export function projectDirectory(packages: readonly string[]): string {
  const project = temporaryDirectory();
  const modules = join(project, 'node_modules');
  installFlintDb(modules);
  for (const name of packages) {
    const own = join(ROOT, 'node_modules', name);
    const source = existsSync(own) ? own : join(CLIENTS, name);
    assert.ok(existsSync(source), `${name} is not there: run "npm run clients" once`);
    link(source, join(modules, name));
  }
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true }\n');
  return project;
}

/** Copies: a link to the tree itself would be taken for sources of the project. */
function installFlintDb(modules: string): void {
  const target = join(modules, 'flintdb');
  for (const path of ['package.json', 'bin', 'dist/programs', 'dist/sdk', 'dist/commonjs']) {
    if (existsSync(join(ROOT, path)))
      cpSync(join(ROOT, path), join(target, path), { recursive: true });
  }
  for (const floor of ['bson', 'client', 'common', 'wire']) {
    const declarations = join(ROOT, 'dist', floor);
    if (!existsSync(declarations)) continue;
    cpSync(declarations, join(target, 'dist', floor), {
      recursive: true,
      filter: (path) => !/\.(?:js|map)$/.test(path),
    });
  }
  const manifest: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  for (const name of [...Object.keys(manifest.dependencies), '@types/node']) {
    link(join(ROOT, 'node_modules', name), join(modules, name));
  }
}

function link(source: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(source, path);
}

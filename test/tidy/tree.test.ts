/**
 * The tree itself: every folder says what it owns, every module what it promises, and nothing lies about unused.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  FLOORS,
  filesBelow,
  filesLoadedWith,
  filesNamedBy,
  PROJECT_ROOT,
  readProjectFile,
  sourceFiles,
} from './source-tree.ts';

/** Entries of the package besides its main one (package.json, exports). */
const FURTHER_ENTRIES = ['client/http.ts', 'client/testing/memory-server.ts'];
/** Real implementations that only tests and simulations open. */
const FOR_SIMULATION = ['storage/device/simulated-volume.ts'];

describe('the tree', () => {
  it('has a README in every floor', () => {
    const without = FLOORS.filter((floor) => !existsSync(join(PROJECT_ROOT, floor, 'README.md')));
    assert.deepEqual(without, []);
  });

  it('opens every module with a few lines that say what it is', () => {
    const without = sourceFiles().filter((path) => !readProjectFile(path).startsWith('/**'));
    assert.deepEqual(without, []);
  });

  it('has no source file that no program, door or worker reaches', () => {
    const doors = [
      ...FOR_SIMULATION,
      ...FURTHER_ENTRIES,
      ...filesBelow('cli/programs', '.ts'),
      ...FLOORS.map((floor) => `${floor}/index.ts`).filter((path) =>
        existsSync(join(PROJECT_ROOT, path)),
      ),
    ];
    const reached = new Set<string>();
    const waiting = [...doors];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (reached.has(path)) continue;
      reached.add(path);
      waiting.push(...filesNamedBy(path));
    }
    const orphans = sourceFiles().filter((path) => !reached.has(path));
    assert.deepEqual(orphans, []);
  });

  it('shows --help without loading a server: what a program names at its start leads to none', () => {
    const reached = new Set<string>();
    const waiting = ['cli/programs/flintd.ts', 'cli/programs/flints.ts'];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (reached.has(path)) continue;
      reached.add(path);
      waiting.push(...filesLoadedWith(path));
    }
    const heavy = ['server/flint-server.ts', 'server/operation/operation-context.ts'];
    assert.deepEqual(
      heavy.filter((path) => reached.has(path)),
      [],
    );
    assert.deepEqual(
      [...reached].filter((path) => path.startsWith('query/')),
      [],
    );
  });

  it('names no path of a machine and leaves no unfinished business', () => {
    const files = [
      ...sourceFiles(),
      ...filesBelow('test', '.ts').filter((path) => !path.startsWith('test/tidy/')),
      ...filesBelow('docs', '.md'),
      'README.md',
    ];
    const offending = files.filter((path) =>
      /\/(?:home|root|Users|work)\/|\bTODO\b|\bFIXME\b|\bXXX\b/.test(readProjectFile(path)),
    );
    assert.deepEqual(offending, []);
  });
});

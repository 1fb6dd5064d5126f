/**
 * Bugs of sharding that are planted on purpose, to see that the torture finds them.
 *
 * Each is a change of the text of a copy of the project, which is built and tortured: the code that ships has no hook for any of them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Edit {
  /** From the root of the project. */
  readonly file: string;
  /** Stands there once. */
  readonly text: string;
  readonly replacement: string;
}

export interface PlantedBug {
  readonly name: string;
  readonly what: string;
  readonly edits: readonly Edit[];
}

const SHARDING = 'server/sharding';

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'show-orphans',
    what: 'Reads do not leave out documents that are another shard’s.',
    edits: [
      {
        file: `${SHARDING}/collection-state.ts`,
        text: 'return chunks.chunkOf(entry.pattern.keyOf(document).text).shard === shardName;',
        replacement: 'return chunks.chunkOf(entry.pattern.keyOf(document).text) !== undefined;',
      },
    ],
  },
  {
    name: 'commit-without-catch-up',
    what: 'What was written behind the copy is not sent.',
    edits: [
      {
        file: `${SHARDING}/migration-source.ts`,
        text: 'await this.sendChanges(coordinator, changes.take(), pattern, range);',
        replacement: 'changes.take();',
      },
    ],
  },
  {
    name: 'delete-before-commit',
    what: 'The donor removes the range without asking whether it is still its own, while the migration is under way.',
    edits: [
      {
        file: `${SHARDING}/range-deletions.ts`,
        text: "if (getField(document, 'pending') !== undefined) continue;",
        replacement: '',
      },
      {
        file: `${SHARDING}/range-deletions.ts`,
        text: 'if (isSame && !isOwned) await deleteRange(op, task);',
        replacement: 'if (isSame || !isOwned) await deleteRange(op, task);',
      },
    ],
  },
  {
    name: 'write-in-critical-section',
    what: 'Writers are let in while the range is given over.',
    edits: [
      {
        file: `${SHARDING}/collection-state.ts`,
        text: 'if (this.held === undefined || (!isWrite && !this.held.blocksReads)) return undefined;',
        replacement: 'if (this.held?.blocksReads !== true || isWrite) return undefined;',
      },
      {
        file: `${SHARDING}/collection-state.ts`,
        text: "invariant(this.held === undefined, 'collection-state 2: a writer in the critical section');",
        replacement: '',
      },
    ],
  },
  {
    name: 'forget-removal',
    what: 'What stayed on the donor is never removed.',
    edits: [
      {
        file: `${SHARDING}/range-deletions.ts`,
        text: 'if (isSame && !isOwned) await deleteRange(op, task);',
        replacement: '',
      },
    ],
  },
  {
    name: 'give-up-what-was-committed',
    what: 'A donor that was killed takes a migration for given up without asking.',
    edits: [
      {
        file: `${SHARDING}/migration-source.ts`,
        text: "const isCommitted = getField(reply, 'committed')?.isTruthy() === true;",
        replacement: 'const isCommitted = reply.length === 0;',
      },
    ],
  },
  {
    name: 'join-old-reading',
    what: 'The donor takes what somebody began to read before the commit for what holds after it.',
    edits: [
      {
        file: `${SHARDING}/sharding-state.ts`,
        text: 'if (earlier !== undefined) await op.waitFor(earlier.catch(() => {}));',
        replacement: 'if (earlier !== undefined) await op.waitFor(earlier);',
      },
      {
        file: `${SHARDING}/migration-source.ts`,
        text: 'await state.refresh(op, coordinator.namespace);',
        replacement: '',
      },
    ],
  },
  {
    name: 'commit-before-flush',
    what: 'The recipient says that all is durable before it is.',
    edits: [
      {
        file: `${SHARDING}/migration-target.ts`,
        text: 'await op.engine.flushed(op.renewView().commitNumber);',
        replacement: '',
      },
    ],
  },
];

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LEFT_OUT: ReadonlySet<string> = new Set(['node_modules', 'dist', '.git']);

export interface Finding {
  readonly bug: PlantedBug;
  /** undefined: the torture passed. */
  readonly found: string | undefined;
  readonly tookMs: number;
}

/** Tortures a copy of the project with the bug, until it is found or the time is over. */
export async function torturePlanted(
  bug: PlantedBug,
  { minutes, seed }: { readonly minutes: number; readonly seed: number },
): Promise<Finding> {
  const copy = mkdtempSync(join(tmpdir(), 'flintdb-planted-'));
  try {
    cpSync(ROOT, copy, {
      recursive: true,
      filter: (path) => path === ROOT || !LEFT_OUT.has(basename(path)),
    });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    for (const edit of bug.edits) plant(copy, edit);
    const built = spawnSync(process.execPath, ['build.mjs'], { cwd: copy, encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`${bug.name} does not build: ${built.stderr}`);
    const beganMs = performance.now();
    const found = await firstViolation(copy, ['--minutes', `${minutes}`, '--seed', `${seed}`]);
    return { bug, found, tookMs: performance.now() - beganMs };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function plant(copy: string, { file, text, replacement }: Edit): void {
  const path = join(copy, file);
  const before = readFileSync(path, 'utf8');
  if (before.split(text).length !== 2) throw new Error(`${file} does not have once: ${text}`);
  writeFileSync(
    path,
    before.replace(text, () => replacement),
  );
}

function firstViolation(copy: string, args: readonly string[]): Promise<string | undefined> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'test/torture/index.ts', ...args, '--stop'],
    { cwd: copy, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(/^VIOLATION (.*)$/m.exec(printed)?.[1]));
  });
}

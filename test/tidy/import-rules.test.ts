/**
 * The rules of docs/architecture.md about who may import whom are enforced by the lint step: each is broken once here.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from './source-tree.ts';

/** Lints one made-up module of a floor. @returns what the linter printed, and whether it refused the module. */
function lint(floor: string, text: string): { refused: boolean; printed: string } {
  const folder = join(PROJECT_ROOT, floor, 'import-rules-example');
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, 'example.ts'), text);
    const oxlint = join(PROJECT_ROOT, 'node_modules/.bin/oxlint');
    const run = spawnSync(oxlint, [folder], { cwd: PROJECT_ROOT, encoding: 'utf8' });
    return { refused: run.status !== 0, printed: run.stdout + run.stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const BROKEN_RULES = [
  {
    rule: 'an upward import',
    floor: 'query',
    text: "import '../../server/index.ts';\n",
    message: /imports run downwards/,
  },
  {
    rule: 'the npm package bson below the edges',
    floor: 'query',
    text: "import 'bson';\n",
    message: /documents stay raw/,
  },
  {
    rule: 'a floor entered past its door',
    floor: 'server',
    text: "import '../../storage/engine.ts';\n",
    message: /Enter a floor through its index\.ts/,
  },
  {
    rule: 'the system clock outside common',
    floor: 'storage',
    text: 'export const now = Date.now();\n',
    message: /Take a Clock/,
  },
];

describe('the import rules', () => {
  for (const { rule, floor, text, message } of BROKEN_RULES) {
    it(`refuse ${rule}`, () => {
      const { refused, printed } = lint(floor, text);
      assert.equal(refused, true);
      assert.match(printed, message);
    });
  }

  it('allow the npm package bson in the commands of the server', () => {
    const text = "import { ObjectId } from 'bson';\nexport const id = new ObjectId();\n";
    assert.equal(lint('server/commands', text).refused, false);
  });
});

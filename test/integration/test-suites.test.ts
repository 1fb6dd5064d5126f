/**
 * FlintDB inside the test suites of others: the examples of docs/examples/testing run as a project would run them, in a
 * directory of their own that has the package, mocha, vitest, jest, mongoose and the official driver installed.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeTemporaryDirectory } from '../support/programs.ts';
import { projectDirectory } from '../support/project.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = join(ROOT, 'docs/examples/testing');
const TIMEOUT_MS = 60_000;

describe('test suites of others', () => {
  let project = '';
  before('make a project', () => {
    project = exampleProject();
  });
  after(() => removeTemporaryDirectory(project));

  it('of mongoose, for mocha, pass: thirty tests', async () => {
    const startedMs = performance.now();
    let firstMs = Infinity;
    const printed = await run(project, 'mocha', ['blog.test.mjs'], {}, (text) => {
      if (text.includes('✔')) firstMs = Math.min(firstMs, performance.now() - startedMs);
    });
    const passing = Number(/(\d+) passing/.exec(printed)?.[1]);
    assert.ok(passing >= 30, printed);
    assert.doesNotMatch(printed, /failing/);
    console.log(`      from npx mocha to the first passing test: ${Math.round(firstMs)} ms`);
  });

  it('of the official driver, for mocha, pass', async () => {
    const printed = await run(project, 'mocha', ['mocha.test.mjs']);
    assert.match(printed, /4 passing/);
  });

  it('for vitest pass', async () => {
    const printed = await run(project, 'vitest', ['run', '--environment', 'node']);
    assert.match(printed, /2 passed/);
  });

  it('for jest pass', async () => {
    // The official driver loads a module by import(), which Jest allows with this flag only.
    const printed = await run(project, 'jest', [], { NODE_OPTIONS: '--experimental-vm-modules' });
    assert.match(printed, /2 passed/);
  });
});

function exampleProject(): string {
  const project = projectDirectory(['mocha', 'mongodb', 'mongoose', 'vitest', 'jest']);
  cpSync(EXAMPLES, project, { recursive: true });
  const settings = {
    name: 'project',
    private: true,
    jest: { testMatch: ['**/jest.test.cjs'], testEnvironment: 'node' },
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(settings));
  writeFileSync(
    join(project, 'vitest.config.mjs'),
    "export default { test: { include: ['vitest.test.mjs'] } };\n",
  );
  return project;
}

/** Runs a tool of the project. @returns what it printed. @throws Error with that, when it fails. */
function run(
  project: string,
  tool: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  onOutput: (text: string) => void = () => {},
): Promise<string> {
  const folder = join(project, 'node_modules', tool);
  const { bin }: { bin: string | Record<string, string> } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  const script = typeof bin === 'string' ? bin : (bin[tool] ?? '');
  return new Promise((resolve, reject) => {
    const { NODE_OPTIONS: _options, ...env } = process.env;
    const child = spawn(process.execPath, [join(folder, script), ...args], {
      cwd: project,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      env: { ...env, ...environment, CI: 'true', NO_COLOR: '1' },
    });
    let printed = '';
    const take = (bytes: Buffer): void => {
      printed += bytes.toString();
      onOutput(bytes.toString());
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(printed);
      else reject(new Error(`${tool} ended with ${signal ?? code}; it printed:\n${printed}`));
    });
  });
}

/**
 * The examples of docs/guide: each block of code runs as it stands there and prints what the page says.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { projectDirectory } from '../support/project.ts';
import { removeTemporaryDirectory, runToEnd } from '../support/programs.ts';
import { serverForTests } from '../support/test-server.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GUIDE = join(ROOT, 'docs/guide');
/** Pages that start clusters take their time on a busy machine. */
const TIMEOUT_MS = 60_000;
const execute = promisify(execFile);

interface Block {
  readonly language: string;
  readonly text: string;
}

describe('the examples of the guide', function () {
  this.timeout(TIMEOUT_MS);
  const server = serverForTests();

  for (const page of readdirSync(GUIDE).filter((name) => name.endsWith('.md'))) {
    // What one page leaves behind is in no other's way.
    let project = '';
    before('make a project', () => {
      project = projectDirectory([]);
    });
    after(() => removeTemporaryDirectory(project));

    const blocks = blocksOf(readFileSync(join(GUIDE, page), 'utf8'));
    blocks.forEach(({ language, text }, index) => {
      const next = blocks[index + 1];
      if (language === 'js' && text.includes("from 'flintdb")) {
        it(`${page}, block ${index + 1}, prints what it says`, async () => {
          const file = join(project, `block-${index}.mjs`);
          writeFileSync(file, text);
          const { stdout } = await execute(process.execPath, [file], {
            cwd: project,
            timeout: TIMEOUT_MS,
            env: { ...process.env, NODE_OPTIONS: '', FLINTDB_URI: server.uri },
          });
          assert.equal(stdout, next?.language === 'text' ? next.text : '');
        });
      }
      if (language === 'sh' && text.includes('npx flintd ')) {
        it(`${page}, block ${index + 1}, names options that flintd has`, async () => {
          const line = text.split('\n').find((each) => each.startsWith('npx flintd ')) ?? '';
          const { code, stderr } = await runToEnd([...line.split(' ').slice(2), '--version']);
          assert.deepEqual([code, stderr], [0, '']);
        });
      }
      if (language === 'sh' && text.includes('npx flint ')) {
        it(`${page}, block ${index + 1}, does what it says`, async () => {
          await server.client.db('shop').collection('items').insertOne({ page, index });
          const script = text
            .replaceAll('npx flint ', `${join(ROOT, 'bin/flint')} `)
            .replaceAll('mongodb://127.0.0.1:27017', server.uri);
          await execute('sh', ['-e', '-c', script], { cwd: project, timeout: TIMEOUT_MS });
        }).timeout(TIMEOUT_MS);
      }
      if (language === 'sh' && text.includes('$FLINTDB_URI')) {
        it(`${page}, block ${index + 1}, prints what it says`, async () => {
          // As installed: flint is found by its name.
          const script = `flint() { "${process.execPath}" "${join(ROOT, 'bin/flint')}" "$@"; }\nset -eo pipefail\n`;
          const expected = next?.language === 'text' ? next.text : '';
          const { stdout } = await execute('bash', ['-c', script + text], {
            cwd: project,
            timeout: TIMEOUT_MS,
            env: { ...process.env, FLINTDB_URI: server.uri },
          }).catch((error: { readonly stdout: string; readonly stderr: string }) => {
            // A page may show what fails.
            assert.ok(expected.includes('refused'), error.stderr);
            return error;
          });
          assert.equal(stdout, expected);
        });
      } else if (language === 'sh') {
        for (const [line] of text.matchAll(/^flint .*$/gm)) {
          it(`${page}, block ${index + 1}, names options that flint has: ${line}`, async () => {
            const [, name = ''] = /flint (\w+)/.exec(line) ?? [];
            const { code, stdout } = await runToEnd([name, '--help'], { program: 'flint' });
            assert.equal(code, 0);
            for (const [flag] of line.matchAll(/--\w+/g))
              assert.match(stdout, new RegExp(`${flag}\\b`));
          });
        }
      }
      if (language === 'ts') {
        it(`${page}, block ${index + 1}, compiles`, async () => {
          const file = join(project, `block-${index}.mts`);
          writeFileSync(file, text);
          const options = [
            '--noEmit',
            '--strict',
            '--skipLibCheck',
            '--module',
            'nodenext',
            '--target',
            'es2023',
            '--types',
            'node',
          ];
          const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
          const found = await execute(process.execPath, [tsc, ...options, file], {
            cwd: project,
          }).catch(({ stdout, stderr }: { stdout: string; stderr: string }) => ({
            stdout,
            stderr,
          }));
          assert.deepEqual(found, { stdout: '', stderr: '' });
        });
      }
    });
  }
});

/** The fenced blocks of a page, in order. */
function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/**
 * The cluster that docs/guide/operating-a-cluster.md starts by hand: its commands as they stand there, on ports that are free.
 */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { projectDirectory } from '../support/project.ts';
import { removeTemporaryDirectory } from '../support/programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/guide/operating-a-cluster.md'), 'utf8');
const PORTS = ['27017', '27018', '27019', '27020'];

describe('the cluster that the guide starts by hand', () => {
  const programs: ChildProcess[] = [];
  let project = '';
  before('make a project', () => {
    project = projectDirectory([]);
  });
  after('end the programs', async () => {
    await Promise.all(
      programs.map(
        (program) =>
          new Promise((resolve) => {
            if (program.exitCode !== null) resolve(undefined);
            program.once('exit', resolve);
            program.kill('SIGKILL');
          }),
      ),
    );
    removeTemporaryDirectory(project);
  });

  it('is ready, takes its shards, and says what the page says', async () => {
    const start = PAGE.indexOf('## By hand');
    const [shell = '', script = '', printed = ''] = [
      ...PAGE.slice(start).matchAll(/^```\w*\n([\s\S]*?)^```$/gm),
    ].map(([, text]) => text ?? '');
    const free = await freePorts(PORTS.length);
    const onFreePorts = (text: string): string =>
      PORTS.reduce((before, port, index) => before.replaceAll(port, String(free[index])), text);
    const [prepare = '', ...lines] = onFreePorts(shell).trim().split('\n');
    await promisify(execFile)('sh', ['-c', prepare], { cwd: project });
    assert.equal(lines.length, 4);
    await Promise.all(lines.map((line) => ready(line)));
    writeFileSync(join(project, 'shards.mjs'), onFreePorts(script));
    const { stdout } = await promisify(execFile)(process.execPath, ['shards.mjs'], {
      cwd: project,
    });
    assert.equal(stdout, onFreePorts(printed));
  }).timeout(30_000);

  /** Starts a line's program, as a terminal would, and waits for its ready line. */
  function ready(line: string): Promise<void> {
    const [npx, name = '', ...args] = line.split(' ');
    assert.equal(npx, 'npx');
    const program = spawn(process.execPath, [join(ROOT, 'bin', name), ...args], {
      cwd: project,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    programs.push(program);
    return new Promise((resolve, reject) => {
      createInterface({ input: program.stdout }).on('line', (printed) => {
        if (printed.startsWith('{"ready":true')) resolve();
      });
      program.once('exit', (code) => reject(new Error(`${line}: ended (${code})`)));
    });
  }
});

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(
    servers.map((server) => new Promise((resolve) => server.once('listening', resolve))),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

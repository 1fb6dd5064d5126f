/**
 * The clients of test/clients: mongosh and mongoose. They are no part of the package, `npm run clients` installs them.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeTemporaryDirectory, temporaryDirectory } from './programs.ts';

const CLIENTS = fileURLToPath(new URL('../clients', import.meta.url));
const SHELL_TIMEOUT_MS = 60_000;

/** @throws Error that says how to get it, when a client is not installed. */
function pathOfClient(path: string, name: string): string {
  const absolute = join(CLIENTS, 'node_modules', path);
  if (existsSync(absolute)) return absolute;
  throw new Error(`${name} is not installed (${absolute}): run "npm run clients" once.`);
}

/** Loads a client library of test/clients. @returns unknown: the caller says what it uses of it. */
export function requireClient(name: string): unknown {
  pathOfClient(join(name, 'package.json'), name);
  const load: (name: string) => unknown = createRequire(join(CLIENTS, 'package.json'));
  return load(name);
}

/**
 * Runs a script in mongosh against a server.
 * @param script its last expression is printed; `print(...)` prints more.
 * @returns what it printed. @throws Error with everything it printed, when it fails.
 */
export async function runMongosh(uri: string, script: string): Promise<string> {
  const shell = pathOfClient('.bin/mongosh', 'mongosh');
  // A home of its own: mongosh writes its logs and history there, and reads the user's settings from there.
  const home = temporaryDirectory();
  try {
    return await run(shell, ['--quiet', '--norc', uri, '--eval', script], home);
  } finally {
    removeTemporaryDirectory(home);
  }
}

function run(command: string, args: readonly string[], home: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: SHELL_TIMEOUT_MS,
      env: { ...process.env, HOME: home, MONGOSH_SKIP_NODE_VERSION_CHECK: '1' },
    });
    let stdout = '';
    let printed = '';
    child.stdout.on('data', (text: Buffer) => {
      stdout += text.toString();
      printed += text.toString();
    });
    child.stderr.on('data', (text: Buffer) => (printed += text.toString()));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(stdout.trim());
      else reject(new Error(`mongosh ended with ${signal ?? code}; it printed:\n${printed}`));
    });
  });
}

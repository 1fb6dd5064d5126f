/**
 * A flintd inside this process.
 *
 * The server is no part of the SDK: it is loaded by its path when somebody asks for it, the one place where the SDK reaches up.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FlintdProcess, FlintdProcessOptions } from './flintd-process.ts';

/** Beside the sources it is a source, beside what is built it is built. */
const PROGRAM = import.meta.url.endsWith('.ts')
  ? new URL('../../cli/programs/embedded.ts', import.meta.url)
  : new URL('../programs/embedded.js', import.meta.url);

interface Running {
  readonly port: number;
  readonly httpPort: number | undefined;
  stop(): Promise<void>;
}

export async function startInProcess(options: FlintdProcessOptions): Promise<FlintdProcess> {
  const { args, dbPath, inMemory } = options;
  const temporary =
    inMemory || dbPath !== undefined ? undefined : mkdtempSync(join(tmpdir(), 'flintdb-'));
  const directory = dbPath ?? temporary;
  const letGo = temporary === undefined ? undefined : removeWithUs(temporary);
  const remove = (): void => {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
    letGo?.();
  };
  try {
    const where = directory === undefined ? ['--inMemory'] : ['--dbpath', directory];
    const server = await startProgram([...where, ...args]);
    process.once('exit', remove);
    return {
      port: server.port,
      httpPort: server.httpPort,
      pid: process.pid,
      dbPath: directory,
      stop: async () => {
        await server.stop();
        process.off('exit', remove);
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * Has a directory removed when this process is gone, however it went: a signal runs no code of ours. A shell waits for the end
 * of its standard input, which is ours; in a session of its own, it outlives a Ctrl-C that is meant for us.
 * @returns ends the shell.
 */
function removeWithUs(directory: string): () => void {
  if (process.platform === 'win32') return () => {};
  const shell = spawn('/bin/sh', ['-c', 'cat > /dev/null; rm -rf -- "$0"', directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Where there is no shell, the directory goes with an end that runs our code.
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref();
  return () => shell.stdin.end();
}

async function startProgram(args: readonly string[]): Promise<Running> {
  const program: unknown = await import(PROGRAM.href);
  const start: unknown =
    typeof program === 'object' && program !== null
      ? Reflect.get(program, 'startEmbedded')
      : undefined;
  if (typeof start !== 'function') throw new Error(`${PROGRAM.pathname} is no embedded server`);
  const running: unknown = await Reflect.apply(start, undefined, [args]);
  if (!isRunning(running)) throw new Error('the embedded server did not start');
  return running;
}

function isRunning(value: unknown): value is Running {
  return typeof value === 'object' && value !== null && 'port' in value && 'stop' in value;
}

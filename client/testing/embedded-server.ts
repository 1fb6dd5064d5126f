/**
 * A flintd inside this process.
 *
 * The server is no part of the SDK: it is loaded by its path when somebody asks for it, the one place where the SDK reaches up.
 */
import { rmSync } from 'node:fs';
import type { FlintdProcess, FlintdProcessOptions } from './flintd-process.ts';
import { leaveWill, REMOVE_DIRECTORY } from './last-will.ts';
import { makeTemporaryDirectory, removeAbandonedDirectories } from './temporary-directory.ts';

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
  const temporary = inMemory || dbPath !== undefined ? undefined : makeTemporaryDirectory();
  const directory = dbPath ?? temporary;
  const letGo = temporary === undefined ? undefined : leaveWill(REMOVE_DIRECTORY, temporary);
  const remove = (): void => {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
    letGo?.();
  };
  try {
    const where = directory === undefined ? ['--inMemory'] : ['--dbpath', directory];
    const server = await startProgram([...where, ...args]);
    process.once('exit', remove);
    if (temporary !== undefined) removeAbandonedDirectories();
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

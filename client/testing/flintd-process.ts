/**
 * A flintd as a child process that cannot outlive its parent.
 *
 * Owns: the process, its temporary directory, the end of the pipe that tells the child whether we live. None of these keeps
 * this process alive: a test run that forgets to stop its server ends all the same, and takes the server with it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { foregroundClock } from '../../common/clock.ts';
import { makeTemporaryDirectory, removeAbandonedDirectories } from './temporary-directory.ts';

export interface FlintdProcessOptions {
  /** Besides those that say where the data are and how it ends. */
  readonly args: readonly string[];
  /** The caller's own directory, which stays. */
  readonly dbPath: string | undefined;
  readonly inMemory: boolean;
  readonly startTimeoutMs: number;
}

export interface FlintdProcess {
  readonly port: number;
  /** Of HTTP, where it was asked for. */
  readonly httpPort: number | undefined;
  readonly pid: number;
  /** undefined: the data are in memory. */
  readonly dbPath: string | undefined;
  /** Ends it, and removes a temporary directory. Idempotent. */
  stop(): Promise<void>;
}

/** The starter stands beside the sources and beside what is built of them, in both cases two folders up. */
const FLINTD = fileURLToPath(new URL('../../bin/flintd', import.meta.url));
/** Of what it printed so much is kept, for the message when it does not start. */
const KEPT_OUTPUT = 16 * 1024;

/** @throws Error with what it printed, when it does not start. */
export async function startFlintdProcess(options: FlintdProcessOptions): Promise<FlintdProcess> {
  const { args, dbPath, inMemory, startTimeoutMs } = options;
  const temporary = inMemory || dbPath !== undefined ? undefined : makeTemporaryDirectory();
  const directory = dbPath ?? temporary;
  const child = spawn(
    process.execPath,
    [
      FLINTD,
      ...(directory === undefined ? ['--inMemory'] : ['--dbpath', directory]),
      ...(dbPath === undefined ? ['--ephemeral'] : []),
      ...args,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], env: ownEnvironment() },
  );
  try {
    const ready = readyLine(child, startTimeoutMs);
    // While it starts there is nothing else to do.
    if (temporary !== undefined) removeAbandonedDirectories();
    const { port, httpPort, pid } = await ready;
    letGo(child);
    let stopping: Promise<void> | undefined;
    return {
      port,
      httpPort,
      pid,
      dbPath: directory,
      stop: () => {
        stopping ??= end(child, temporary);
        return stopping;
      },
    };
  } catch (error) {
    await end(child, temporary);
    throw error;
  }
}

/** What is meant for this process (loaders, coverage, inspectors) would slow the server down, or break it. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...rest } = process.env;
  return rest;
}

/** The caller's directory is closed in order; one that is thrown away anyhow is not. */
async function end(child: ChildProcess, temporary: string | undefined): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.ref();
    const ended = once(child, 'exit');
    child.kill(child.spawnargs.includes('--ephemeral') ? 'SIGKILL' : 'SIGTERM');
    await ended;
  }
  if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
}

function letGo(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) {
    // Pipes are sockets, and know how; the type does not.
    if (
      stream !== null &&
      stream !== undefined &&
      'unref' in stream &&
      typeof stream.unref === 'function'
    ) {
      stream.unref();
    }
  }
}

function readyLine(
  child: ChildProcess,
  limitMs: number,
): Promise<Pick<FlintdProcess, 'port' | 'httpPort' | 'pid'>> {
  const { stdout, stderr } = child;
  return new Promise((resolve, reject) => {
    let printed = '';
    let line = '';
    const fail = (what: string): void => {
      timer.cancel();
      const said = printed.trim();
      reject(new Error(said === '' ? what : `${what}. It printed:\n${said}`));
    };
    const timer = foregroundClock.after(limitMs, () =>
      fail(`flintd was not ready within ${limitMs} ms`),
    );
    stdout?.setEncoding('utf8').on('data', (text: string) => {
      line += text;
      const ready = /^\{"ready":true,"port":(\d+),"pid":(\d+),(?:"httpPort":(\d+))?.*\}$/m.exec(
        line,
      );
      if (ready === null) return;
      timer.cancel();
      line = '';
      const httpPort = ready[3] === undefined ? undefined : Number(ready[3]);
      resolve({ port: Number(ready[1]), httpPort, pid: Number(ready[2]) });
    });
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-KEPT_OUTPUT);
    });
    child.once('error', (error) => fail(`flintd could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      fail(`flintd ended (${signal ?? code}) before it was ready`),
    );
  });
}

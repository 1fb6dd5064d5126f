/**
 * Starting and ending one process of a cluster.
 *
 * Promises: a start ends when the process says that it is ready, or with what it printed; nothing of it is a child that this process waits
 * for, so it may stay behind.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { foregroundClock, sleep } from '../../common/clock.ts';
import { ClusterError, type ClusterDirectory, type ClusterMember } from './cluster-directory.ts';

export interface StartMemberOptions {
  /** host:port of the config server: what routers need. */
  readonly configHost: string;
  /** Further arguments for flintd and flints. */
  readonly args: readonly string[];
  readonly timeoutMs: number;
  /** It ends with this process. */
  readonly isBound: boolean;
}

export interface RunningMember {
  readonly pid: number;
  readonly port: number;
}

/** The starters stand beside the sources and beside what is built of them, in both cases two folders up. */
const programPath = (name: string): string =>
  fileURLToPath(new URL(`../../bin/${name}`, import.meta.url));

const POLL_MS = 5;
/** Of a log so much is shown when a start fails. */
const SHOWN_LOG = 2_000;
const END_TIMEOUT_MS = 30_000;

/** @param member with port 0 for any free one. @throws ClusterError */
export async function startMember(
  directory: ClusterDirectory,
  member: ClusterMember,
  options: StartMemberOptions,
): Promise<RunningMember> {
  const { name, kind, port } = member;
  checkNotRunning(directory, name);
  const readyFile = directory.ready(name);
  const logFile = directory.log(name);
  const logStart = sizeOf(logFile);
  const [stdout, stderr] = [openSync(readyFile, 'w'), openSync(logFile, 'a')];
  const child = spawn(
    process.execPath,
    [
      programPath(kind === 'router' ? 'flints' : 'flintd'),
      ...roleArguments(directory, member, options.configHost),
      '--port',
      String(port),
      '--pidfilepath',
      `${directory.folder(name)}/pid`,
      ...options.args,
    ],
    {
      stdio: ['ignore', stdout, stderr],
      env: ownEnvironment(),
      // A Ctrl-C at the terminal is for this process alone: it ends the others in order.
      detached: true,
    },
  );
  closeSync(stdout);
  closeSync(stderr);
  // Before it writes that file itself: who comes when this process has just died finds, and ends, what still starts.
  if (child.pid !== undefined) directory.keepPid(name, child.pid);
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = `it ended (${signal ?? code})`));
  child.unref();
  if (options.isBound) bind(child);
  const fail = (why: string): ClusterError => {
    directory.forgetPid(name);
    return notStarted(member, why, logFile, logStart);
  };
  const deadlineMs = foregroundClock.monotonicMs() + options.timeoutMs;
  for (;;) {
    const running = readyIn(readyFile);
    if (running !== undefined) return running;
    if (ended !== undefined) throw fail(ended);
    if (foregroundClock.monotonicMs() > deadlineMs) {
      if (child.pid !== undefined) process.kill(child.pid, 'SIGKILL');
      throw fail(`it was not ready within ${options.timeoutMs} ms`);
    }
    await sleep(foregroundClock, POLL_MS);
  }
}

/** Sends a signal, and waits until the process has ended. @returns whether it ran. */
export async function endMember(
  directory: ClusterDirectory,
  name: string,
  signal: NodeJS.Signals,
): Promise<boolean> {
  const pid = directory.pidOf(name);
  if (pid === undefined || pid === 'stale') {
    directory.forgetPid(name);
    return false;
  }
  send(pid, signal);
  const deadlineMs = foregroundClock.monotonicMs() + END_TIMEOUT_MS;
  while (directory.isRunning(name, pid)) {
    if (foregroundClock.monotonicMs() > deadlineMs) send(pid, 'SIGKILL');
    await sleep(foregroundClock, POLL_MS);
  }
  directory.forgetPid(name);
  return true;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended by itself.
  }
}

function checkNotRunning(directory: ClusterDirectory, name: string): void {
  const pid = directory.pidOf(name);
  if (typeof pid === 'number') throw new ClusterError(`${name} runs already (pid ${pid}).`);
  if (pid === 'stale') directory.forgetPid(name);
}

function roleArguments(
  directory: ClusterDirectory,
  { name, kind }: ClusterMember,
  configHost: string,
): readonly string[] {
  if (kind === 'router') return ['--configdb', configHost];
  const role = kind === 'config' ? '--configsvr' : '--shardsvr';
  return [role, '--dbpath', directory.data(name)];
}

/** What is meant for this process (loaders, coverage, inspectors) would slow a server down, or break it. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...rest } = process.env;
  return rest;
}

/** Processes that must not outlive this one. One listener for all: a cluster that is tortured starts hundreds. */
const bound = new Set<ChildProcess>();

function bind(child: ChildProcess): void {
  if (bound.size === 0) process.once('exit', killBound);
  bound.add(child);
  child.once('exit', () => {
    bound.delete(child);
    if (bound.size === 0) process.off('exit', killBound);
  });
}

function killBound(): void {
  for (const child of bound) child.kill('SIGKILL');
}

function readyIn(file: string): RunningMember | undefined {
  const line = /^\{"ready":true,.*\}$/m.exec(readFileSync(file, 'utf8'));
  if (line === null) return undefined;
  const ready: unknown = JSON.parse(line[0]);
  if (typeof ready !== 'object' || ready === null) return undefined;
  const pid: unknown = Reflect.get(ready, 'pid');
  const port: unknown = Reflect.get(ready, 'port');
  return typeof pid === 'number' && typeof port === 'number' ? { pid, port } : undefined;
}

function notStarted(
  { name }: ClusterMember,
  why: string,
  logFile: string,
  logStart: number,
): ClusterError {
  const printed = readFileSync(logFile).subarray(logStart).toString().trim();
  const sentences = printed.split('\n').filter((line) => !line.startsWith('{'));
  const shown = (sentences.length > 0 ? sentences.join('\n') : printed).slice(-SHOWN_LOG);
  return new ClusterError(
    `${name} could not be started: ${why}.${shown === '' ? '' : ` ${shown}`}`,
  );
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

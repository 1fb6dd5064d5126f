/**
 * Starts a job file as a process of its own, from sources (through tsx) as from the compiled tree: for work that may end the process it
 * runs in, such as a native library over damaged bytes.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** @param url from jobUrl. The caller owns the process: its standard output is piped, errors go to the caller's own. */
export function startProcessJob(
  url: URL,
  arguments_: readonly string[],
): ChildProcessByStdio<null, Readable, null> {
  const path = fileURLToPath(url);
  const loader = path.endsWith('.ts') ? ['--import', 'tsx'] : [];
  return spawn(process.execPath, [...loader, path, ...arguments_], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

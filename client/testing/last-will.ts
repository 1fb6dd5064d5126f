/**
 * What is done when this process is gone, however it went: a signal that kills runs no code of ours.
 *
 * A shell waits for the end of its standard input, which is ours; in a session of its own it outlives a Ctrl-C, and a kill of our group.
 */
import { spawn } from 'node:child_process';

/**
 * @param will a script; `$0` in it is the directory
 * @returns withdraws it, for who came to an end in order: it may not be carried out later, when others use the directory
 */
export function leaveWill(will: string, directory: string): () => void {
  if (process.platform === 'win32') return () => {};
  const shell = spawn('/bin/sh', ['-c', `cat > /dev/null; ${will}`, directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Where there is no shell, an end that runs our code does what it can.
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref();
  return () => {
    shell.kill('SIGKILL');
    shell.stdin.end();
  };
}

export const REMOVE_DIRECTORY = 'rm -rf -- "$0"';

/** Members name their folder on their command line: a number that somebody else has by now is left alone. */
export const KILL_MEMBERS =
  'for pid in $(cat "$0"/*/pid 2> /dev/null); do ' +
  'if [ ! -d /proc/self ] || grep -qsF "$0" "/proc/$pid/cmdline"; then kill -9 "$pid"; fi; done';

/**
 * Gives ranges of a file back to the file system: Node has no call for it, util-linux's `fallocate -p` does.
 *
 * Promises: one process at a time; a call resolves only after its process ended, so that nobody writes to a range that
 * is still being punched. Best effort: where it does not work, nothing happens.
 */
import { spawn } from 'node:child_process';

export interface PunchStatistics {
  readonly calls: number;
  readonly bytes: number;
  readonly failures: number;
}

/** After this many failures in a row the file system is taken not to support it. */
const FAILURES_UNTIL_OFF = 3;

export class HolePuncher {
  private readonly path: string;
  private last: Promise<void> = Promise.resolve();
  private calls = 0;
  private bytes = 0;
  private failures = 0;
  private failuresInRow = 0;

  constructor(path: string) {
    this.path = path;
  }

  get statistics(): PunchStatistics {
    return { calls: this.calls, bytes: this.bytes, failures: this.failures };
  }

  /** Punches `length` bytes at `offset`, after all earlier calls. Never rejects. */
  punch(offset: number, length: number): Promise<void> {
    this.last = this.last.then(() => this.run(offset, length));
    return this.last;
  }

  private async run(offset: number, length: number): Promise<void> {
    if (this.failuresInRow >= FAILURES_UNTIL_OFF) return;
    const exitCode = await runCommand(punchCommand(process.pid, this.path, { offset, length }));
    this.calls += 1;
    if (exitCode === 0) {
      this.bytes += length;
      this.failuresInRow = 0;
    } else {
      this.failures += 1;
      this.failuresInRow += 1;
    }
  }
}

/**
 * For `setpriv`, which ends the child with its parent: after a kill -9 a late one must not punch what the next start writes. A parent that
 * ended before is noticed by the shell: the child has another one then.
 */
export function punchCommand(
  parentPid: number,
  path: string,
  { offset, length }: { readonly offset: number; readonly length: number },
): string[] {
  const script = '[ "$PPID" = "$0" ] && exec fallocate --punch-hole "$@"';
  const range = ['--offset', String(offset), '--length', String(length), path];
  return ['--pdeathsig', 'KILL', 'sh', '-c', script, String(parentPid), ...range];
}

/** @returns the exit code; -1 when it could not be started. */
function runCommand(command: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn('setpriv', command, { stdio: 'ignore' });
    child.on('error', () => resolve(-1));
    child.on('exit', (code) => resolve(code ?? -1));
  });
}

/**
 * Temporary directories of test servers, named after the process that they are of: when nobody was left to remove one (a kill -9 of a
 * whole process group, the end of a container's memory), the next test run does.
 *
 * Owns: the names `flintdb-<system>-<pid>-<start>-…`. A pid alone may be another process's by now; with the time of its start it is one
 * process of one boot of one machine. The system is the boot and the namespace that numbers the processes: directories of others, who may
 * well live, are left alone, and so is everything where /proc does not tell.
 */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'flintdb-';
const NAME = /^flintdb-([0-9a-f]+\.\d+)-(\d+)-(\d+)-/;

/** Makes one, and says whose it is in the same step. */
export function makeTemporaryDirectory(): string {
  const system = systemName();
  const start = startOf(process.pid);
  const owner =
    system === undefined || start === undefined ? '' : `${system}-${process.pid}-${start}-`;
  return mkdtempSync(join(tmpdir(), PREFIX + owner));
}

/** Removes those whose process is gone. What cannot be removed, such as another user's, stays; it is never an error. */
export function removeAbandonedDirectories(): void {
  const system = systemName();
  if (system === undefined) return;
  for (const name of namesIn(tmpdir())) {
    const [, of, pid, start] = NAME.exec(name) ?? [];
    if (of !== system || startOf(Number(pid)) === start) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // The next test run tries again.
    }
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Of this boot and this namespace of processes; undefined where the system does not tell. */
function systemName(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
    return namespace === undefined ? undefined : `${boot}.${namespace}`;
  } catch {
    return undefined;
  }
}

/** When a process started, in the system's ticks; undefined: it is gone. Source: proc(5), /proc/pid/stat, fields 3 and 22. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the name, is in brackets and may contain anything.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

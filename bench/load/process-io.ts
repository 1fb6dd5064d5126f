/**
 * What another process has caused to be written to disks, from /proc/<pid>/io. Source: proc(5).
 */
import { readFileSync } from 'node:fs';

/** @returns bytes since its start; NaN when the process is gone. */
export function diskBytesWritten(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/io`, 'latin1');
    return Number(/^write_bytes: (\d+)/m.exec(text)?.[1]);
  } catch {
    return NaN;
  }
}

/**
 * CPU time of another process, from /proc/<pid>/stat: user and system time of all its threads, in ticks of 10 ms.
 * Source: proc(5).
 */
import { readFileSync } from 'node:fs';

/** USER_HZ is 100 on every Linux that Node runs on. */
const MICROSECONDS_PER_TICK = 10_000;

/** @returns microseconds since the process started. */
export function processCpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field, the program's name in parentheses, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const userTicks = Number(fields[11]);
  const systemTicks = Number(fields[12]);
  return (userTicks + systemTicks) * MICROSECONDS_PER_TICK;
}

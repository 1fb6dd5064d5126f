/**
 * Memory of another process that is its own: RssAnon and RssShmem of /proc/<pid>/status. What it maps from files (LMDB, the
 * program) is the system's, which takes it back when it needs it. Source: proc(5).
 */
import { readFileSync } from 'node:fs';

const KIBIBYTE = 1024;

/** @returns bytes; NaN when the process is gone. */
export function processMemoryBytes(pid: number): number {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return NaN;
  }
  return (kibibytesOf(status, 'RssAnon') + kibibytesOf(status, 'RssShmem')) * KIBIBYTE;
}

function kibibytesOf(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
}

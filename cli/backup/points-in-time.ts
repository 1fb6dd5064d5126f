/**
 * Points in time as people write them, and the part of a journal up to one.
 */
import {
  compareTimestamps,
  journalEntryLength,
  journalEntryStamp,
  type CommitNumber,
  type CommitPoint,
  type Timestamp,
} from '../../storage/index.ts';
import { UsageError } from '../../server/index.ts';

const HIGHEST_INCREMENT = 2 ** 32 - 1;
const HIGHEST_SECONDS = 2 ** 32 - 1;

/**
 * @param text '1763650000.5' (seconds and increment), '1763650000' or '2026-11-20T14:46:40Z' (the end of that second)
 * @throws UsageError
 */
export function parsePointInTime(text: string): Timestamp {
  const exact = /^(?:Timestamp\()?(\d{1,10})(?:[.,:]\s*(\d{1,10})\)?)?$/.exec(text.trim());
  if (exact !== null) {
    const [, seconds, increment] = exact;
    const point = { seconds: Number(seconds), increment: Number(increment ?? HIGHEST_INCREMENT) };
    if (point.seconds <= HIGHEST_SECONDS && point.increment <= HIGHEST_INCREMENT) return point;
  }
  const ms = /^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isFinite(ms) && ms >= 0) {
    return { seconds: Math.floor(ms / 1000), increment: HIGHEST_INCREMENT };
  }
  throw new UsageError(
    `--to needs a time with its zone such as 2026-11-20T14:46:40Z, or a timestamp such as 1763650000.5, not '${text}'.`,
  );
}

/**
 * A time of a cluster's backup: its points have milliseconds.
 * @param text '2026-11-20T14:46:40Z' (the end of that second) or '2026-11-20T14:46:40.250Z', exactly @returns since 1970 @throws UsageError
 */
export function parseWallMs(text: string): number {
  const match = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)$/.exec(text);
  const ms = match === null ? NaN : Date.parse(text);
  if (match !== null && Number.isFinite(ms) && ms >= 0)
    return match[1] === undefined ? ms + 999 : ms;
  throw new UsageError(
    `--to of a cluster needs a time with its zone such as 2026-11-20T14:46:40Z or 2026-11-20T14:46:40.250Z, not '${text}'.`,
  );
}

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** @param text such as '7d', '24h', '90m' or '30s' @throws UsageError */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text.trim());
  const ms = match === null ? 0 : Number(match[1]) * (UNIT_MS[match[2]] ?? 0);
  if (ms >= 1) return ms;
  throw new UsageError(`--keep needs a time such as 7d, 24h or 90m, not '${text}'.`);
}

export interface PointLimit {
  /** undefined: no limit. */
  readonly to: Timestamp | undefined;
  readonly toCommit?: CommitNumber;
}

/** The commits of a piece of a journal behind `after`, up to a limit. */
export function commitsUpTo(
  entries: Buffer,
  after: CommitPoint,
  { to, toCommit }: PointLimit,
): { readonly entries: Buffer; readonly last: CommitPoint } {
  let last = after;
  let start = 0;
  let end = 0;
  for (let at = 0; at < entries.length;) {
    const next = at + journalEntryLength(entries, at, entries.length);
    const { cn, ts } = journalEntryStamp(entries, at);
    if (to !== undefined && compareTimestamps(ts, to) > 0) break;
    if (toCommit !== undefined && cn !== undefined && cn > toCommit) break;
    at = next;
    if (cn === undefined) continue;
    if (cn <= after.commitNumber) start = at;
    else last = { commitNumber: cn, timestamp: ts };
    end = at;
  }
  return { entries: entries.subarray(start, Math.max(start, end)), last };
}

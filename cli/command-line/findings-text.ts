/**
 * What verify and repair print: findings one by one, and how far they are.
 */
import { systemClock } from '../../common/clock.ts';
import type { Finding, Progress } from '../../storage/index.ts';

/** "error: blocks.flint, offset 1048576, 32768 bytes: test.a, records 1, 2: page: … (checksum)" */
export function findingText(finding: Finding): string {
  const { severity, file, offset, length, namespace, recordIds, message } = finding;
  const place = [
    file,
    ...(offset === undefined ? [] : [`offset ${offset}`]),
    ...(length === undefined ? [] : [`${length} bytes`]),
  ].join(', ');
  const records = recordIds === undefined ? '' : `, records ${recordIds.join(', ')}`;
  const what = namespace === undefined ? '' : `${namespace}${records}: `;
  return `${severity}: ${place}: ${what}${message}`;
}

const SHOWN_EVERY_MS = 1000;

/** Shows on standard error, on a terminal once a second, how far something is. */
export function progressOnTerminal(): (progress: Progress) => void {
  if (!process.stderr.isTTY) return () => {};
  let shownMs = -Infinity;
  return ({ step, done, total }) => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - shownMs < SHOWN_EVERY_MS) return;
    shownMs = nowMs;
    const percent = total === 0 ? '' : ` (${Math.floor((100 * done) / total)} %)`;
    process.stderr.write(`${step}: ${done}${percent}\n`);
  };
}

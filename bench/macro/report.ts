/**
 * Tables on a terminal, and the machine that the figures belong to.
 */
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';

/** Columns as wide as their widest cell; the first is aligned left, the others right. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of [header, ...rows]) {
    const cells = widths.map((width, column) => {
      const text = row[column] ?? '';
      return column === 0 ? text.padEnd(width) : text.padStart(width);
    });
    process.stdout.write(`${cells.join('  ').trimEnd()}\n`);
  }
}

export function printMachine(): void {
  const [cpu] = cpus();
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  process.stdout.write(
    `${cpu?.model ?? 'unknown CPU'} x ${cpus().length}, ${memoryGb} GB, Node ${process.version}, commit ${commit()}\n`,
  );
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** 108012 as "108,012"; with digits behind the point below 100. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

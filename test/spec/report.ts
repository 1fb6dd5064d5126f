/**
 * What the suites came to: a table by suite, and every case that did not pass, with its reason.
 */
import { excuseOf } from './excused.ts';
import { SUITES } from './suite-names.ts';
import type { CaseResult } from './suites.ts';

/** How a result counts once excuses are taken into account. */
export type Verdict = 'passed' | 'failed' | 'excused' | 'skipped' | 'needlessly excused';

export function verdictOf({ suite, name, outcome }: CaseResult): Verdict {
  const isExcused = excuseOf(suite, name) !== undefined;
  if (!isExcused || outcome === 'skipped') return outcome;
  return outcome === 'failed' ? 'excused' : 'needlessly excused';
}

/** Cases that the server can run: by its version, its topology and its parameters. */
export function runnable(results: readonly CaseResult[]): CaseResult[] {
  return results.filter(({ outcome }) => outcome !== 'skipped');
}

export function countOf(results: readonly CaseResult[], ...verdicts: Verdict[]): number {
  return results.filter((result) => verdicts.includes(verdictOf(result))).length;
}

/** The table, one row per suite that was run. */
export function tableOf(results: readonly CaseResult[]): string {
  const rows = SUITES.map((suite) => ({
    suite,
    results: results.filter((result) => result.suite === suite),
  })).filter((row) => row.results.length > 0);
  const width = Math.max(...SUITES.map((suite) => suite.length));
  const line = (name: string, cells: readonly (string | number)[]): string =>
    [name.padEnd(width), ...cells.map((cell) => String(cell).padStart(9))].join('');
  const counts = (some: readonly CaseResult[]): number[] => [
    countOf(some, 'passed', 'needlessly excused'),
    countOf(some, 'failed'),
    countOf(some, 'excused'),
    countOf(some, 'skipped'),
  ];
  return [
    line('suite', ['passed', 'failed', 'excused', 'skipped']),
    ...rows.map((row) => line(row.suite, counts(row.results))),
    line('total', counts(results)),
  ].join('\n');
}

/** The cases that failed without an excuse, and those whose excuse is out of date, a line each. */
export function mistakesOf(results: readonly CaseResult[]): string[] {
  return results.flatMap((result) => {
    const { suite, name, reason } = result;
    switch (verdictOf(result)) {
      case 'failed':
        return [`${suite} | ${name} | ${reason ?? ''}`];
      case 'needlessly excused':
        return [`${suite} | ${name} | it passes: its excuse has to go`];
      case 'passed':
      case 'excused':
      case 'skipped':
        return [];
    }
  });
}

/** The excused cases by their reason. */
export function excusesOf(results: readonly CaseResult[]): string {
  const byReason = new Map<string, string[]>();
  for (const result of results) {
    if (verdictOf(result) !== 'excused') continue;
    const reason = excuseOf(result.suite, result.name) ?? '';
    byReason.set(reason, [...(byReason.get(reason) ?? []), `${result.suite} | ${result.name}`]);
  }
  return [...byReason]
    .map(([reason, names]) => [`${names.length} × ${reason}`, ...names.map((name) => `  ${name}`)])
    .flat()
    .join('\n');
}

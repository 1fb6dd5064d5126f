/**
 * What a run prints: totals, and the table of faults with what noticed them.
 */
import type { LifeCounts } from './life/context.ts';
import type { RestartCounts } from './restart.ts';
import type { SeedReport } from './simulation.ts';
import type { Detections } from './fault-book.ts';

/** Adds up the reports of seeds, one after the other. */
export class Totals {
  seeds = 0;
  private readonly life = new Map<keyof LifeCounts, number>();
  private readonly restarts = new Map<keyof RestartCounts, number>();
  private readonly cuts = new Map<string, number>();
  private readonly detections: Detections = {};
  private movedRecords = 0;
  private refusals = 0;

  add(report: SeedReport): void {
    this.seeds += 1;
    this.movedRecords += report.movedRecords;
    this.refusals += report.refusals;
    addAll(this.life, report.life);
    addAll(this.restarts, report.restarts);
    for (const [where, count] of Object.entries(report.cuts)) {
      this.cuts.set(where, (this.cuts.get(where) ?? 0) + count);
    }
    for (const [kind, byDetector] of Object.entries(report.detections)) {
      const totals = (this.detections[kind] ??= {});
      for (const [detector, count] of Object.entries(byDetector)) {
        totals[detector] = (totals[detector] ?? 0) + count;
      }
    }
  }

  /** How often a fault was noticed by a detector, for tests. */
  detected(kind: string, detector: string): number {
    return this.detections[kind]?.[detector] ?? 0;
  }

  lines(): string[] {
    const of = (name: keyof LifeCounts): number => this.life.get(name) ?? 0;
    const after = (name: keyof RestartCounts): number => this.restarts.get(name) ?? 0;
    return [
      `operations ${of('operations')}: commits ${of('commits')}, conflicts ${of('conflicts')}, ` +
        `duplicates refused ${of('duplicates')}, ` +
        `disks filled for a while ${of('fullDisks')}, writes refused for it ${of('refusedForSpace')}, ` +
        `catalog changes ${of('catalogChanges')}, index builds ${of('builds')}, ` +
        `checkpoints ${of('checkpoints')}, compactions ${of('compactions')}, ` +
        `records moved by the cleaner ${this.movedRecords}`,
      `held open meanwhile: snapshots read ${of('snapshotReads')}, cursors in a snapshot ${of('heldCursors')}, ` +
        `cursors that go on in the latest state ${of('liveCursors')}, parts of indexes ${of('rangesWalked')}`,
      `passes of the scrub ${of('scrubs')} over ${of('scrubbedPages')} pages, ` +
        `bytes through files of operations ${of('spilledBytes')}, ` +
        `index stores lost and made anew ${after('repairs')}`,
      `restarts ${after('restarts')}, ${after('clean')} after a clean close; starts in whose midst power went or a device failed ` +
        `${after('cutStarts')}; refused for damage ${this.refusals}`,
      'held after each restart:',
      `  1. what was acknowledged survives: ${after('promisesChecked')} starts had promises to keep ` +
        `(${after('lostTails')} on a disk that lost the acknowledged end of the journal itself)`,
      `  2. indexes agree with their collections, no part of a transaction shows: ${after('indexesChecked')} indexes, ` +
        `${after('documentsChecked')} documents compared ` +
        `(${after('judgedWithDamage')} collections with some damage: what of them can be read)`,
      `  3. damage is named, never returned: ${of('corruptions')} reads refused by name`,
      '',
      ...table('lives ended by a cut', ['where'], this.cuts),
      '',
      ...this.faultTable(),
    ];
  }

  private faultTable(): string[] {
    const rows = new Map<string, number>();
    for (const [kind, byDetector] of Object.entries(this.detections).sort(([a], [b]) =>
      a < b ? -1 : 1,
    )) {
      const sorted = Object.entries(byDetector).sort((a, b) => b[1] - a[1]);
      for (const [detector, count] of sorted) rows.set(`${kind.padEnd(18)}${detector}`, count);
    }
    return table('faults injected', [`${'kind'.padEnd(18)}noticed by`], rows);
  }
}

function table(
  title: string,
  head: readonly string[],
  rows: ReadonlyMap<string, number>,
): string[] {
  const width = Math.max(0, ...[...rows.keys()].map(({ length }) => length));
  const total = [...rows.values()].reduce((sum, count) => sum + count, 0);
  return [
    `${title}: ${total}`,
    ...head.map((line) => `  ${line}`),
    ...[...rows].map(([name, count]) => `  ${name.padEnd(width)}  ${String(count).padStart(8)}`),
  ];
}

function addAll<Name extends string>(
  totals: Map<Name, number>,
  counts: Readonly<Record<Name, number>>,
): void {
  for (const name of Object.keys(counts) as Name[]) {
    totals.set(name, (totals.get(name) ?? 0) + counts[name]);
  }
}

/**
 * The steps of a migration and the processes that can be killed at each: which were, and which come next.
 */
import type { Random } from '../../common/random.ts';
import { MIGRATION_STEPS, type MigrationStep } from '../../server/sharding/migration-steps.ts';

export const VICTIMS = ['donor', 'recipient', 'config', 'router'] as const;
export type Victim = (typeof VICTIMS)[number];

/** Whose step it is, and what it is. */
const STEPS: Readonly<Record<MigrationStep, readonly [where: Place, what: string]>> = {
  moveChunkHangAtStep1: ['donor', 'trace written, nobody asked'],
  migrateThreadHangAtStep1: ['recipient', 'task written, no collection'],
  moveChunkHangAtStep2: ['donor', 'changes are noted, nothing copied'],
  moveChunkHangAtStep3: ['donor', 'a part is copied'],
  migrateThreadHangAtStep2: ['recipient', 'documents came, not stored'],
  moveChunkHangAtStep4: ['donor', 'caught up'],
  moveChunkHangAtStep5: ['donor', 'critical: last changes sent'],
  migrateThreadHangAtStep3: ['recipient', 'critical: before the flush'],
  moveChunkHangAtStep6: ['donor', 'critical: durable, not asked'],
  hangBeforeCommitChunkMigration: ['config', 'critical: before the commit'],
  hangAfterCommitChunkMigration: ['config', 'critical: committed, no answer'],
  hangBeforePostMigrationCommitRefresh: ['donor', 'critical: answered, not refreshed'],
  hangBeforeFinishingMigration: ['donor', 'decided, recipient not told'],
  migrateThreadHangAtStep4: ['recipient', 'told, task as before'],
  hangBeforeForgettingMigrationAfterCommitDecision: ['donor', 'recipient told, trace there'],
  suspendRangeDeletion: ['donor', 'before the removal of what stayed'],
};

export type Place = 'donor' | 'recipient' | 'config';

export interface Cell {
  readonly step: MigrationStep;
  readonly place: Place;
  readonly victim: Victim;
}

export class StepTable {
  private readonly kills = new Map<string, number>();
  private readonly tries = new Map<string, number>();

  /** One of those that were tried least. */
  choose(random: Random): Cell {
    const cells = MIGRATION_STEPS.flatMap((step) =>
      VICTIMS.map((victim): Cell => ({ step, place: STEPS[step][0], victim })),
    );
    const least = Math.min(...cells.map((cell) => this.tries.get(keyOf(cell)) ?? 0));
    const open = cells.filter((cell) => (this.tries.get(keyOf(cell)) ?? 0) === least);
    const chosen = open[random.below(open.length)] ?? open[0];
    if (chosen === undefined) throw new Error('there are no steps');
    this.tries.set(keyOf(chosen), least + 1);
    return chosen;
  }

  killed(cell: Cell): void {
    this.kills.set(keyOf(cell), (this.kills.get(keyOf(cell)) ?? 0) + 1);
  }

  /** How many combinations of step and process there were, and how many there are. */
  get coverage(): readonly [covered: number, all: number] {
    return [this.kills.size, MIGRATION_STEPS.length * VICTIMS.length];
  }

  /** A line for each step, in the order of a migration. */
  lines(): string[] {
    const head = ['at this step kill -9 of the'.padEnd(50), ...VICTIMS.map(padded)].join('');
    const rows = Object.entries(STEPS).map(([step, [place, what]]) => {
      const counts = VICTIMS.map((victim) =>
        padded(String(this.kills.get(`${step} ${victim}`) ?? 0)),
      );
      return [`${place}: ${what}`.padEnd(50), ...counts].join('');
    });
    return [head, ...rows];
  }
}

const padded = (text: string): string => text.padStart(11);

function keyOf({ step, victim }: Cell): string {
  return `${step} ${victim}`;
}

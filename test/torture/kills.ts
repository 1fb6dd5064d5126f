/**
 * Kills the processes of a cluster with -9, and starts them again: at random moments, and at each step of a migration.
 */
import type { Cluster } from '../../client/index.ts';
import type { Random } from '../../common/random.ts';
import type { Report } from './report.ts';
import { StepTable, type Cell } from './step-table.ts';
import { Members, type Parties } from './stopped-migration.ts';

/** From one kill to the next, and until a killed one is started at most, milliseconds. */
const SHORTEST_PEACE_MS = 1_000;
const LONGEST_PEACE_MS = 5_000;
const LONGEST_DOWN_MS = 1_000;
/** So many of the kills are made at a step of a migration, the others whenever it happens. */
const STEP_SHARE = 0.75;
/** A second one dies while the first one is down, and one is killed while it starts. */
const SECOND_SHARE = 0.2;
const AT_START_SHARE = 0.15;
const START_MS = 600;

export class Killer {
  kills = 0;
  readonly byMember = new Map<string, number>();
  readonly table = new StepTable();
  private readonly cluster: Cluster;
  private readonly random: Random;
  private readonly report: Report;
  /** The router through which a collection's chunk is being moved. */
  private readonly routerOf: (namespace: string) => string | undefined;
  /** Reads a collection while a migration of it stands still: what is on both shards then must come once. */
  private readonly look: (namespace: string) => Promise<void>;

  constructor(parts: {
    readonly cluster: Cluster;
    readonly random: Random;
    readonly report: Report;
    readonly routerOf: (namespace: string) => string | undefined;
    readonly look: (namespace: string) => Promise<void>;
  }) {
    this.cluster = parts.cluster;
    this.random = parts.random;
    this.report = parts.report;
    this.routerOf = parts.routerOf;
    this.look = parts.look;
  }

  /** When it resolves, all run. */
  async workUntil(isOver: () => boolean): Promise<void> {
    const members = new Members(this.cluster);
    try {
      while (!isOver()) {
        await sleep(SHORTEST_PEACE_MS + this.random.below(LONGEST_PEACE_MS - SHORTEST_PEACE_MS));
        if (isOver()) break;
        if (this.random.next() < STEP_SHARE) await this.killAtStep(members);
        else await this.killAtRandom();
      }
      // However short the time was.
      if (this.kills === 0) await this.killAtRandom();
    } finally {
      await members.close();
    }
  }

  private async killAtRandom(): Promise<void> {
    const names = this.cluster.members.map(({ name }) => name);
    const first = names[this.random.below(names.length)] ?? 'config';
    const others = names.filter((name) => name !== first);
    const victims = [first];
    if (this.random.next() < SECOND_SHARE) {
      victims.push(others[this.random.below(others.length)] ?? 'config');
    }
    await Promise.all(victims.map((name) => this.killAndStart(name)));
  }

  private async killAtStep(members: Members): Promise<void> {
    const cell = this.table.choose(this.random);
    try {
      const stopped = await members.stopAt(cell);
      if (stopped === undefined) return;
      const parties = await members.partiesOf(cell, stopped);
      if (parties.namespace !== undefined) await this.look(parties.namespace);
      const name = this.nameOf(cell, parties);
      if (name === undefined) return;
      if (await this.kill(name)) this.table.killed(cell);
      // The others go on while it is away, or when it is back.
      if (this.random.next() < 0.5) await members.goOn(cell.step);
      await this.startAgain(name);
    } finally {
      await members.goOn(cell.step);
    }
  }

  private nameOf({ victim }: Cell, { donor, recipient, namespace }: Parties): string | undefined {
    if (victim === 'donor') return donor;
    if (victim === 'recipient') return recipient;
    if (victim === 'config') return 'config';
    const routers = this.cluster.members.filter(({ kind }) => kind === 'router');
    const known = namespace === undefined ? undefined : this.routerOf(namespace);
    return known ?? routers[this.random.below(routers.length)]?.name;
  }

  private async killAndStart(name: string): Promise<void> {
    await this.kill(name);
    await this.startAgain(name);
  }

  private async startAgain(name: string): Promise<void> {
    try {
      await sleep(this.random.below(LONGEST_DOWN_MS));
      while (this.random.next() < AT_START_SHARE) {
        const starting = this.cluster.start(name).catch(() => {});
        await sleep(this.random.below(START_MS));
        await this.kill(name);
        await starting;
        await this.kill(name);
      }
      await this.cluster.start(name);
    } catch (error) {
      this.report.violation(`${name} does not start again: ${String(error)}`);
    }
  }

  private async kill(name: string): Promise<boolean> {
    if (!(await this.cluster.kill(name))) return false;
    this.kills += 1;
    this.byMember.set(name, (this.byMember.get(name) ?? 0) + 1);
    return true;
  }
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

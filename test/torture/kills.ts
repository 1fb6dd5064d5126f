/**
 * Kills the processes of a cluster with -9 at random, and starts them again.
 */
import type { Cluster } from '../../client/index.ts';
import type { Random } from '../../common/random.ts';
import type { Report } from './report.ts';

/** From one kill to the next at most, and until a killed one is started at most, milliseconds. */
const LONGEST_PEACE_MS = 4_000;
const LONGEST_DOWN_MS = 1_000;
/** A second one dies while the first one is down, and one is killed while it starts. */
const SECOND_SHARE = 0.25;
const AT_START_SHARE = 0.2;
const START_MS = 600;

export class Killer {
  kills = 0;
  readonly byMember = new Map<string, number>();
  private readonly cluster: Cluster;
  private readonly random: Random;
  private readonly report: Report;

  constructor(cluster: Cluster, random: Random, report: Report) {
    this.cluster = cluster;
    this.random = random;
    this.report = report;
  }

  /** When it resolves, all run. */
  async workUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep(this.random.below(LONGEST_PEACE_MS));
      const names = this.cluster.members.map(({ name }) => name);
      const first = names[this.random.below(names.length)] ?? 'config';
      const others = names.filter((name) => name !== first);
      const victims = [first];
      if (this.random.next() < SECOND_SHARE) {
        victims.push(others[this.random.below(others.length)] ?? 'config');
      }
      await Promise.all(victims.map((name) => this.killAndStart(name)));
    }
  }

  private async killAndStart(name: string): Promise<void> {
    try {
      await this.kill(name);
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

  private async kill(name: string): Promise<void> {
    if (!(await this.cluster.kill(name))) return;
    this.kills += 1;
    this.byMember.set(name, (this.byMember.get(name) ?? 0) + 1);
  }
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/**
 * The balancer: looks at all sharded collections again and again, and has ranges moved until their data lie evenly and in their zones.
 *
 * Owns: the rounds, one at a time. Invariants:
 *  1. It decides nothing that an operator could not order: each step is a split or a moveRange, safe by itself, refused when the
 *     metadata are others by then.
 *  2. A shard takes part in one migration at a time; between rounds with migrations there is a pause.
 *  3. A collection that cannot be balanced keeps no other one from it, and a shard that does not answer no other shards.
 */
import { getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { shardFromDocument, type Chunk, type OperationContext } from '../../server/cluster.ts';
import { splitChunk } from '../catalog/split-chunk.ts';
import { moveRangeTo } from '../catalog/move-range.ts';
import type { BalancerControl, ConfigServer } from '../config-server.ts';
import { jumboChunks, markJumbo } from '../catalog/jumbo-chunks.ts';
import { measureCollection, zoneRanges } from './distribution.ts';
import { mergeShard } from './merge-shard.ts';
import { chooseMoves, zoneSplits, type Move } from './policy.ts';
import { collectionSettings, isWithin, readSettings, type BalancerSettings } from './settings.ts';

/** Between rounds in which nothing was to be done. */
const IDLE_MS = 10_000;
/** After migrations. */
const THROTTLE_MS = 1000;
/** MongoDB's autoMergerIntervalSecs. */
const MERGE_INTERVAL_MS = 3_600_000;

export class Balancer implements BalancerControl {
  private readonly server: ConfigServer;
  private rounds = 0;
  private wakeUp: (() => void) | undefined;
  private isWoken = false;
  private round: Promise<boolean> | undefined;
  private running: Promise<void> = Promise.resolve();
  private mergedAtMs: number;

  constructor(server: ConfigServer) {
    this.server = server;
    this.mergedAtMs = server.host.service.clock.monotonicMs();
  }

  get roundCount(): number {
    return this.rounds;
  }

  get isInRound(): boolean {
    return this.round !== undefined;
  }

  start(): void {
    this.running = this.run();
  }

  /** The server's operations have been interrupted. */
  async stop(): Promise<void> {
    this.wake();
    await this.running;
  }

  /** Something has changed: looks at once instead of at the next time. */
  wake(): void {
    this.isWoken = true;
    this.wakeUp?.();
  }

  /** Resolves when the round under way has ended. */
  async roundEnd(): Promise<void> {
    await this.round?.catch(() => {});
  }

  private async run(): Promise<void> {
    const { host } = this.server;
    while (!host.service.isStopping) {
      this.isWoken = false;
      this.round = host.background('balance', (op) => this.oneRound(op));
      let hasMoved = false;
      try {
        hasMoved = await this.round;
      } catch (error) {
        this.report('a round', error);
      }
      this.round = undefined;
      if (host.service.isStopping) return;
      await host
        .background('balancerPause', (op) => this.pause(op, hasMoved ? THROTTLE_MS : IDLE_MS))
        // Killed: the next round comes at once.
        .catch(() => {});
    }
  }

  private async pause(op: OperationContext, pauseMs: number): Promise<void> {
    if (this.isWoken) return op.turn();
    const woken = new Promise<void>((resolve) => {
      this.wakeUp = resolve;
    });
    await op.waitAtMost(woken, pauseMs);
    this.wakeUp = undefined;
  }

  /** @returns whether something has moved, or should have */
  private async oneRound(op: OperationContext): Promise<boolean> {
    const { catalog, host } = this.server;
    const settings = await readSettings(catalog);
    if (settings.mode === 'off' || !isWithin(settings.window, host.service.clock.wallMs())) {
      return false;
    }
    this.rounds += 1;
    const busy = new Set<string>();
    const silent = new Set<string>();
    const migrations: Promise<void>[] = [];
    for (const document of await catalog.read(op, 'config.collections')) {
      const namespace = getField(document, '_id')?.asString() ?? '';
      try {
        for (const move of await this.movesOf(op, {
          namespace,
          document,
          settings,
          busy,
          silent,
        })) {
          busy.add(move.from).add(move.to);
          migrations.push(this.migrate(op, namespace, move));
        }
      } catch (error) {
        if (op.reason !== undefined) throw error;
        this.report(namespace, error);
      }
    }
    await Promise.all(migrations);
    if (migrations.length === 0) await this.mergeWhenDue(op);
    return migrations.length > 0;
  }

  private async movesOf(
    op: OperationContext,
    {
      namespace,
      document,
      settings,
      busy,
      silent,
    }: {
      readonly namespace: string;
      readonly document: Buffer;
      readonly settings: BalancerSettings;
      readonly busy: ReadonlySet<string>;
      /** Those that have not answered in this round: gets the others that do not. */
      readonly silent: Set<string>;
    },
  ): Promise<readonly Move[]> {
    const own = collectionSettings(document);
    if (!own.isBalanced) return [];
    const { server } = this;
    let routing = await server.catalog.tryRouting(op, namespace);
    if (routing === undefined) return [];
    const zones = await zoneRanges(server, op, routing.entry);
    for (const { keys } of zoneSplits(routing.chunks, zones)) {
      await splitChunk(server, op, namespace, keys);
    }
    routing = await server.catalog.routing(op, namespace);
    const rangeBytes = own.rangeBytes ?? settings.rangeBytes;
    const distribution = await measureCollection(server, op, routing, {
      rangeBytes,
      isSilent: silent,
    });
    for (const [shard, failure] of distribution.failures) {
      silent.add(shard);
      this.report(`${namespace} on ${shard}`, failure);
    }
    if (!distribution.isSettled) return [];
    const jumbo = await jumboChunks(server.catalog, op, routing);
    const isTooLarge = ({ minText }: Chunk): boolean => jumbo.has(minText);
    return chooseMoves({ ...distribution, isTooLarge }, busy);
  }

  private async migrate(op: OperationContext, namespace: string, move: Move): Promise<void> {
    try {
      await moveRangeTo(this.server, op, {
        namespace,
        toShard: move.to,
        waitsForDelete: false,
        onlyUsualSize: move.reason === 'chunksImbalance',
        rangeOf: () => ({ min: move.chunk.min }),
      });
    } catch (error) {
      if (op.reason !== undefined) throw error;
      if (error instanceof CommandError && error.codeName === 'ChunkTooBig') {
        await markJumbo(this.server, op, namespace, move.chunk);
      }
      this.report(namespace, error);
    }
  }

  private async mergeWhenDue(op: OperationContext): Promise<void> {
    const { catalog, host } = this.server;
    const nowMs = host.service.clock.monotonicMs();
    if (nowMs - this.mergedAtMs < MERGE_INTERVAL_MS) return;
    this.mergedAtMs = nowMs;
    for (const document of await catalog.read(op, 'config.collections')) {
      if (getField(document, 'enableAutoMerge')?.isTruthy() === false) continue;
      const namespace = getField(document, '_id')?.asString() ?? '';
      for (const shard of (await catalog.read(op, 'config.shards')).map(shardFromDocument)) {
        await mergeShard(this.server, op, { namespace, shard: shard.name });
      }
    }
  }

  private report(what: string, error: unknown): void {
    const { service } = this.server.host;
    if (service.isStopping) return;
    service.log.write({
      severity: 'W',
      component: 'CONTROL',
      id: 2_600_003,
      message: 'The balancer could not do a step; it looks again later',
      attributes: { what, error: String(error) },
    });
  }
}

/**
 * Query settings: what is done with queries of one shape, by the word of an operator: they are refused, or may use some indexes only.
 *
 * Owns: a copy of config.querySettings, read again when something is set through this router, and otherwise by the next query that
 * comes so many seconds later, which does not wait for it. Without settings a query costs nothing.
 * Source: MongoDB's manual, "setQuerySettings".
 */
import { EMPTY_DOCUMENT, getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { uninterruptible, type Interruption } from '../../common/interruption.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { readAll } from '../network/read-all.ts';
import type { ShardRegistry } from '../network/shard-registry.ts';
import { attachSettings } from './attached.ts';
import { queryShapeOf } from './query-shape.ts';

export interface ShapeSettings {
  readonly hash: string;
  readonly settings: Buffer;
  /** One of the shape, with its `$db`. */
  readonly query: Buffer;
}

const REFRESH_MS = 5_000;

export class QuerySettings {
  private readonly shards: ShardRegistry;
  private byHash: ReadonlyMap<string, ShapeSettings> = new Map();
  private readAtMs = -Infinity;

  constructor(shards: ShardRegistry) {
    this.shards = shards;
  }

  all(): Iterable<ShapeSettings> {
    return this.byHash.values();
  }

  /**
   * Gives a find, distinct or aggregate what is set for its shape: from now on its shards get it, too.
   * @param options.isExplained it is not run: what is refused may be explained. @throws CommandError QueryRejectedBySettings
   */
  apply(
    op: OperationContext,
    query: Buffer,
    options: { readonly isExplained?: boolean } = {},
  ): void {
    this.refreshWhenOld(op);
    if (this.byHash.size === 0) return;
    const found = this.byHash.get(queryShapeOf(op, query, op.database).hash);
    if (found === undefined) return;
    const { settings } = found;
    if (getField(settings, 'reject')?.isTruthy() === true && options.isExplained !== true) {
      throw new CommandError('QueryRejectedBySettings', 'Query rejected by admin query settings');
    }
    attachSettings(op, settings);
  }

  async refresh(interruption: Interruption): Promise<void> {
    const documents = await readAll(this.shards.config, interruption, {
      database: 'config',
      collection: 'querySettings',
      filter: EMPTY_DOCUMENT,
    });
    const byHash = new Map<string, ShapeSettings>();
    for (const document of documents.map((each) => Buffer.from(each))) {
      const hash = getField(document, '_id')?.asString() ?? '';
      const settings = getField(document, 'settings')?.asDocument() ?? EMPTY_DOCUMENT;
      const query = getField(document, 'representativeQuery')?.asDocument() ?? EMPTY_DOCUMENT;
      byHash.set(hash, { hash, settings, query });
    }
    this.byHash = byHash;
  }

  private refreshWhenOld({ service }: OperationContext): void {
    const nowMs = service.clock.monotonicMs();
    if (nowMs - this.readAtMs < REFRESH_MS) return;
    this.readAtMs = nowMs;
    // What is known stays when the config server does not answer.
    this.refresh(uninterruptible).catch(() => {});
  }
}

/**
 * A store in memory with one collection, for tests of plans on the real engine.
 */
import { BSON } from 'mongodb';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom } from '../../../common/random.ts';
import {
  planAggregate,
  planCount,
  planDistinct,
  planQuery,
  type FindRequest,
  type PlanExecutor,
  type QueryContext,
  simpleContext,
  indexKeyGenerator,
} from '../../../query/index.ts';
import { openEngine, type StorageEngine } from '../../../storage/index.ts';

export type Plain = Record<string, unknown>;

export const bytes = (document: Plain): Buffer => Buffer.from(BSON.serialize(document));
export const plain = (document: Buffer): Plain =>
  BSON.deserialize(document, { promoteValues: true, promoteLongs: true });
/** With types kept: Int32, Double, Long. */
export const typed = (document: Buffer): Plain =>
  BSON.deserialize(document, { promoteValues: false });

export const context: QueryContext = simpleContext(systemClock, new SeededRandom(1));

export interface PlainFind {
  filter?: Plain;
  sort?: Plain;
  projection?: Plain;
  skip?: number;
  limit?: number;
  hint?: string | Plain;
  min?: Plain;
  max?: Plain;
  returnKey?: boolean;
  showRecordId?: boolean;
}

export class TestStore {
  readonly engine: StorageEngine;
  readonly namespace = 'test.c';

  private constructor(engine: StorageEngine) {
    this.engine = engine;
  }

  static async open(
    documents: readonly Plain[],
    indexes: readonly Plain[] = [],
  ): Promise<TestStore> {
    const store = new TestStore(await openEngine({ keyGenerators: indexKeyGenerator }));
    await store.add(store.namespace, documents, indexes);
    return store;
  }

  async add(
    namespace: string,
    documents: readonly Plain[],
    indexes: readonly Plain[] = [],
  ): Promise<void> {
    const write = this.engine.begin();
    write.createCollection(namespace);
    for (const index of indexes) write.createIndex(write.collection(namespace)!, bytes(index));
    for (const document of documents) write.insert(write.collection(namespace)!, bytes(document));
    write.commit();
  }

  async find(
    request: PlainFind,
    using = context,
    namespace: string = this.namespace,
  ): Promise<Plain[]> {
    const view = this.engine.snapshot();
    try {
      const plan = planQuery(view, view.collection(namespace), rawRequest(request), using);
      return await collect(plan.open(view, uninterruptible));
    } finally {
      view.close();
    }
  }

  async aggregate(pipeline: readonly Plain[], using = context): Promise<Plain[]> {
    return (await this.aggregateRaw(pipeline, using)).map(plain);
  }

  async aggregateRaw(pipeline: readonly Plain[], using = context): Promise<Buffer[]> {
    const view = this.engine.snapshot();
    try {
      const plan = planAggregate(
        view,
        view.collection(this.namespace),
        { pipeline: pipeline.map(bytes), namespace: this.namespace },
        using,
      );
      return await collectRaw(plan.open(view, uninterruptible));
    } finally {
      view.close();
    }
  }

  async count(
    filter: Plain,
    options: { skip?: number; limit?: number } = {},
    using = context,
  ): Promise<number> {
    const view = this.engine.snapshot();
    const request = { filter: bytes(filter), ...options };
    const plan = planCount(view, view.collection(this.namespace), request, using);
    const count = await plan.count(view, uninterruptible);
    view.close();
    return count;
  }

  async distinct(key: string, filter: Plain = {}): Promise<unknown[]> {
    const view = this.engine.snapshot();
    const request = { key, filter: bytes(filter) };
    const plan = planDistinct(view, view.collection(this.namespace), request, context);
    const values = await plan.values(view, uninterruptible);
    view.close();
    return Object.values(plain(values));
  }

  async explain(request: PlainFind, using = context): Promise<Plain> {
    const view = this.engine.snapshot();
    const plan = planQuery(view, view.collection(this.namespace), rawRequest(request), using);
    const explained = await plan.explain('executionStats', view, uninterruptible);
    view.close();
    return plain(explained);
  }

  async close(): Promise<void> {
    await this.engine.close();
  }
}

export function rawRequest(request: PlainFind): FindRequest {
  const { filter, sort, projection, hint, min, max, ...rest } = request;
  return {
    ...rest,
    filter: bytes(filter ?? {}),
    ...(sort === undefined ? {} : { sort: bytes(sort) }),
    ...(projection === undefined ? {} : { projection: bytes(projection) }),
    ...(hint === undefined ? {} : { hint: typeof hint === 'string' ? hint : bytes(hint) }),
    ...(min === undefined ? {} : { min: bytes(min) }),
    ...(max === undefined ? {} : { max: bytes(max) }),
  };
}

export async function collectRaw(executor: PlanExecutor): Promise<Buffer[]> {
  const documents: Buffer[] = [];
  for (;;) {
    const document = await executor.next();
    if (document === undefined) break;
    documents.push(document);
  }
  executor.close();
  return documents;
}

async function collect(executor: PlanExecutor): Promise<Plain[]> {
  return (await collectRaw(executor)).map(plain);
}

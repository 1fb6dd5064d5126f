/**
 * One batch of inserts, updates or deletes of a collection, carried out on the shards that have to.
 *
 * Owns: which statements are still to be done. Ordered, they go in runs that one shard gets as a batch; unordered, each shard gets all
 * of its own at once. What a shard refuses because the route was old stays to be done, by a new route.
 * Promises: a statement that may have been done is not done again: after a shard has stopped answering, its statements have errors.
 */
import { withIdFirst, objectIdValue, getField, booleanValue } from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { shardRequest } from '../commands/shard-request.ts';
import type { Router } from '../router.ts';
import {
  isStale,
  noteStale,
  pauseBefore,
  primaryTarget,
  routeOf,
  shardTarget,
  type CollectionRoute,
  type ShardTarget,
} from '../routing/collection-route.ts';
import { shardNamesOf } from '../targeting/targets.ts';
import { writeToAll } from './many-documents.ts';
import { writeToOne } from './one-document.ts';
import { ARRAY_OF, type Statement } from './statement.ts';
import { keepsKey } from './upsert-key.ts';
import type { WriteBatch, WriteScope } from './write-batch.ts';
import { WriteOutcome, writeErrorsOf } from './write-outcome.ts';

/** Statements that one shard gets at once. */
interface Group {
  readonly target: ShardTarget;
  readonly statements: Statement[];
}

/** A statement and the shard that is to have it; undefined: several, or one that has to be found. */
interface Placed {
  readonly statement: Statement;
  readonly shard: string | undefined;
}

/** Of statements in one message: what else is in it has room besides. */
const MAX_GROUP_BYTES = 46 * 1000 * 1000;
/** Routed again so often in a row without anything being done. */
const MAX_FRUITLESS = 60;

export async function runWrites(
  router: Router,
  op: OperationContext,
  batch: WriteBatch,
): Promise<WriteOutcome> {
  const outcome = new WriteOutcome();
  await new WriteRun({ router, op, batch, outcome }).run();
  return outcome;
}

class WriteRun {
  private readonly scope: WriteScope;
  /** What is still to be done. In order: from `position` on. */
  private pending: Statement[];
  private position = 0;
  private fruitless = 0;

  constructor(scope: WriteScope) {
    this.scope = scope;
    this.pending = [...scope.batch.statements];
  }

  async run(): Promise<void> {
    const { router, op, batch } = this.scope;
    while (this.leftCount > 0) {
      op.throwIfInterrupted();
      const before = this.leftCount;
      try {
        const route = await routeOf(router, op, batch.namespace, true);
        // The route is there: a database was made for it.
        if (route === undefined) throw new CommandError('NamespaceNotFound', batch.namespace);
        await this.advance(route);
      } catch (error) {
        if (op.reason !== undefined) throw op.reason;
        if (!isStale(error)) throw error;
      }
      this.fruitless = this.leftCount < before ? 0 : this.fruitless + 1;
      if (this.fruitless > MAX_FRUITLESS) this.giveUp();
      await pauseBefore(op, this.fruitless);
    }
  }

  private get leftCount(): number {
    return this.pending.length - this.position;
  }

  /** Does what can be done by one route. */
  private async advance(route: CollectionRoute): Promise<void> {
    if (route.sharded === undefined) {
      const target = await primaryTarget(this.scope.router, this.scope.op, route);
      const left = this.position === 0 ? this.pending : this.pending.slice(this.position);
      await this.send(route, { target, statements: firstBytes(left) });
    } else if (this.scope.batch.ordered) await this.advanceInOrder(route);
    else await this.advanceAll(route);
  }

  /** The statements that come next, as far as one shard is to have them. */
  private async advanceInOrder(route: CollectionRoute): Promise<void> {
    const first = this.place(route, this.position);
    if (first === undefined) return;
    if (first.shard === undefined) return this.alone(route, first.statement);
    const run = [first.statement];
    for (let at = this.position + 1; at < this.pending.length; at += 1) {
      const next = this.tryPlace(route, at);
      if (next?.shard !== first.shard) break;
      run.push(next.statement);
    }
    await this.send(route, await this.groupOf(route, first.shard, firstBytes(run)));
  }

  private async advanceAll(route: CollectionRoute): Promise<void> {
    const byShard = new Map<string, Statement[]>();
    const others: Statement[] = [];
    const count = this.pending.length;
    for (let at = count - 1; at >= 0; at -= 1) {
      const placed = this.place(route, at);
      if (placed === undefined) continue;
      const { statement, shard } = placed;
      if (shard === undefined) {
        others.push(statement);
        continue;
      }
      const statements = byShard.get(shard);
      if (statements === undefined) byShard.set(shard, [statement]);
      else statements.push(statement);
    }
    await Promise.all(
      Array.from(byShard, async ([shard, statements]) =>
        this.send(route, await this.groupOf(route, shard, firstBytes(statements.reverse()))),
      ),
    );
    for (const statement of others.reverse()) await this.alone(route, statement);
  }

  /** Where a statement belongs; undefined when it belongs nowhere, and has failed. */
  private place(route: CollectionRoute, at: number): Placed | undefined {
    const statement = this.withId(at);
    try {
      return { statement, shard: this.shardOf(route, statement) };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.failed(statement, error);
      return undefined;
    }
  }

  /** The same, without failing it: what stands before it has its turn first. */
  private tryPlace(route: CollectionRoute, at: number): Placed | undefined {
    const statement = this.withId(at);
    try {
      return { statement, shard: this.shardOf(route, statement) };
    } catch (error) {
      if (error instanceof CommandError) return undefined;
      throw error;
    }
  }

  /** A document's place may depend on its _id, so that the router has to give it one. */
  private withId(at: number): Statement {
    const statement = this.pending[at];
    tassert(statement !== undefined, 'a write lost a statement');
    if (this.scope.batch.kind !== 'insert' || getField(statement.raw, '_id') !== undefined) {
      return statement;
    }
    const id = objectIdValue(this.scope.op.service.stamps.objectIds.next());
    const complete = { ...statement, raw: withIdFirst(statement.raw, id) };
    this.pending[at] = complete;
    return complete;
  }

  private shardOf({ sharded }: CollectionRoute, statement: Statement): string | undefined {
    if (sharded === undefined) return undefined;
    if (this.scope.batch.kind === 'insert') {
      const { text } = sharded.entry.pattern.keyOf(statement.raw);
      return sharded.chunks.chunkOf(text).shard;
    }
    const { names, key } = shardNamesOf(sharded, statement.filter, statement.collation);
    if (names.length > 1) return undefined;
    // What is inserted when nothing matches may belong elsewhere.
    if (statement.upsert) {
      const { pattern } = sharded.entry;
      const update = getField(statement.raw, 'u');
      const { filter } = statement;
      if (key === undefined || !keepsKey({ update, filter, pattern, key })) return undefined;
    }
    return names[0];
  }

  private async groupOf(
    route: CollectionRoute,
    shard: string,
    statements: Statement[],
  ): Promise<Group> {
    const { router, op } = this.scope;
    if (route.sharded === undefined) {
      return { target: await primaryTarget(router, op, route), statements };
    }
    return { target: await shardTarget(router, op, route.sharded, shard), statements };
  }

  private async send(route: CollectionRoute, { target, statements }: Group): Promise<void> {
    const { router, op, batch, outcome } = this.scope;
    const name = ARRAY_OF[batch.kind];
    const body = shardRequest(op, batch.command, {
      versions: target.versions,
      set: { [name]: undefined, ordered: booleanValue(batch.ordered) },
    });
    const sequences = [{ identifier: name, documents: statements.map(({ raw }) => raw) }];
    let reply: Buffer;
    try {
      reply = await target.shard.command(body, op, { sequences });
    } catch (error) {
      if (op.reason !== undefined) throw op.reason;
      if (!(error instanceof CommandError)) throw error;
      if (isStale(error)) noteStale(router, error, [route]);
      else this.groupFailed(route, statements, error);
      return;
    }
    outcome.addCounts(reply, statements);
    let done = new Set(statements);
    for (const { index, error } of writeErrorsOf(reply)) {
      const statement = statements[index];
      if (statement === undefined) continue;
      if (isStale(error)) {
        noteStale(router, error, [route]);
        done.delete(statement);
        // In order: nothing behind it was tried.
        if (batch.ordered) done = new Set(statements.slice(0, index));
      } else {
        this.failed(statement, error);
        if (batch.ordered) return;
      }
    }
    this.finished(done);
  }

  /** A shard refused, or did not answer to, all of them. */
  private groupFailed(
    route: CollectionRoute,
    statements: readonly Statement[],
    error: CommandError,
  ): void {
    // As one server does, when it is one: the command is what is wrong.
    const isWhole = statements.length === this.scope.batch.statements.length;
    if (route.sharded === undefined && isWhole && error.codeName !== 'HostUnreachable') throw error;
    for (const statement of statements) {
      this.failed(statement, error);
      if (this.scope.batch.ordered) return;
    }
  }

  private async alone(route: CollectionRoute, statement: Statement): Promise<void> {
    const { op } = this.scope;
    const { sharded } = route;
    if (sharded === undefined) return;
    try {
      const write = statement.multi ? writeToAll : writeToOne;
      await write(this.scope, { ...route, sharded }, statement);
      this.finished(new Set([statement]));
    } catch (error) {
      if (op.reason !== undefined) throw op.reason;
      if (!(error instanceof CommandError)) throw error;
      if (isStale(error)) noteStale(this.scope.router, error, [route]);
      else this.failed(statement, error);
    }
  }

  private failed(statement: Statement, error: CommandError): void {
    this.scope.outcome.fail(statement.index, error);
    if (this.scope.batch.ordered) this.position = this.pending.length;
    else this.finished(new Set([statement]));
  }

  private finished(done: ReadonlySet<Statement>): void {
    if (this.scope.batch.ordered) this.position += done.size;
    else this.pending = this.pending.filter((statement) => !done.has(statement));
  }

  /** The metadata do not come to rest. */
  private giveUp(): void {
    const error = new CommandError(
      'NoProgressMade',
      `no progress was made executing batch write op in ${this.scope.batch.namespace} after ${MAX_FRUITLESS} rounds (${this.leftCount} ops left)`,
    );
    const left = this.pending.slice(this.position);
    for (const statement of this.scope.batch.ordered ? left.slice(0, 1) : left) {
      this.scope.outcome.fail(statement.index, error);
    }
    this.pending = [];
    this.position = 0;
  }
}

/** As many as go into one message. */
function firstBytes(statements: readonly Statement[]): Statement[] {
  let bytes = 0;
  const first: Statement[] = [];
  for (const statement of statements) {
    bytes += statement.raw.length;
    if (first.length > 0 && bytes > MAX_GROUP_BYTES) break;
    first.push(statement);
  }
  return first;
}

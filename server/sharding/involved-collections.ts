/**
 * What a routed command reads and writes besides the collection that it was routed by: what is below a view, what a pipeline joins, where
 * $out and $merge write to.
 *
 * Promises: when the command begins, each of them is known to be unsharded, and so whole on this primary shard; else nothing is done, and
 * the router hears what it did not know. What is read is not removed before the command and its cursor are over. What is written to is
 * still the same at the first write, and stays so until the command is over.
 * Source: MongoDB's README_versioning_protocols; its jstests/sharding/lookup_stale_mongos.js tells what may go wrong.
 */
import {
  arrayValue,
  ArrayBuilder,
  documentOf,
  documentValue,
  getField,
  stringValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { involvedNamespaces, outputNamespace, resolveView, stagesOf } from '../../query/index.ts';
import type { CollectionDescription, ReadView } from '../../storage/index.ts';
import { NotPrepared } from '../command/not-prepared.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { KnownCollection } from './collection-state.ts';
import { ShardVersion } from './shard-version.ts';
import { hold, OWN_DATABASES, type ShardingState } from './sharding-state.ts';
import { staleConfigError } from './stale-errors.ts';

export interface RoutedRead {
  readonly view: ReadView;
  readonly namespace: string;
  /** What the namespace is. */
  readonly collection: CollectionDescription | undefined;
  readonly pipeline?: readonly Buffer[];
}

/**
 * @throws CommandError StaleConfig for one that is sharded, CommandOnShardedViewNotSupportedOnMongod for a view of one: with
 * `resolvedView` when the command is about that view, without when it joins it. NotPrepared when something has to be asked first
 */
export function admitInvolved(op: OperationContext, read: RoutedRead): void {
  const { sharding } = op.service;
  if (sharding === undefined || op.routedBy?.shardVersion === undefined) return;
  const { collection, pipeline = [] } = read;
  const isPlain = collection === undefined || collection.kind === 'collection';
  if (!isPlain || pipeline.length > 0) new Admission(op, sharding, read.view).admit(read);
}

/** The same for a command that names another collection which it writes to. */
export function admitOutput(op: OperationContext, view: ReadView, output: string): void {
  const { sharding } = op.service;
  if (sharding === undefined || op.routedBy?.shardVersion === undefined) return;
  new Admission(op, sharding, view).admitOutput(output);
}

class Admission {
  private readonly op: OperationContext;
  private readonly sharding: ShardingState;
  private readonly view: ReadView;
  private readonly known = new Map<string, KnownCollection>();

  constructor(op: OperationContext, sharding: ShardingState, view: ReadView) {
    this.op = op;
    this.sharding = sharding;
    this.view = view;
  }

  admit({ namespace, collection, pipeline = [] }: RoutedRead): void {
    const database = databaseOf(namespace);
    const below = resolveView(this.view, collection, namespace);
    const belowReads =
      below.namespace === namespace
        ? []
        : this.withViews([below.namespace, ...involvedNamespaces(below.pipeline, database)]);
    const joined = involvedNamespaces(pipeline, database);
    const reads = [...belowReads, ...this.withViews(joined)];
    const output = outputNamespace(pipeline, database);
    const named = output === undefined ? joined : [...joined, output];
    this.look([...reads, ...named]);
    if (this.shardedOf(belowReads) !== undefined) throw shardedView(below, collection);
    this.checkNamed(named);
    if (this.shardedOf(reads) !== undefined) throw joinedShardedView();
    this.hold(reads, output);
  }

  admitOutput(output: string): void {
    this.checkPrimary(databaseOf(output));
    this.look([output]);
    this.checkNamed([output]);
    this.hold([], output);
  }

  /** Of the command's own database a version has come; another one's is known, or asked for. @throws CommandError CommandFailed */
  private checkPrimary(database: string): void {
    const { op, sharding } = this;
    if (OWN_DATABASES.has(database)) return;
    const primary = sharding.primaryOf(database);
    if (primary === undefined && !LOOKED_AGAIN.has(op)) {
      LOOKED_AGAIN.add(op);
      throw new NotPrepared(() => sharding.refreshDatabase(op, database));
    }
    if (primary === sharding.requiredIdentity.shardName) return;
    throw new CommandError(
      'CommandFailed',
      'Source and destination collections must be on same shard',
    );
  }

  /** Each name, and where it is a view's, all that the view reads. */
  private withViews(names: readonly string[]): string[] {
    const all = new Set(names);
    // A set that grows is walked to its end.
    for (const name of all) {
      const collection = this.view.collection(name);
      if (collection?.kind !== 'view') continue;
      const { options } = collection;
      const database = databaseOf(name);
      all.add(`${database}.${getField(options, 'viewOn')?.asString() ?? ''}`);
      const pipeline = stagesOf(getField(options, 'pipeline'));
      for (const other of involvedNamespaces(pipeline, database)) all.add(other);
    }
    return [...all];
  }

  /** @throws NotPrepared when something is not known, or is about to change */
  private look(names: readonly string[]): void {
    const { op, sharding } = this;
    const unknown = new Set<string>();
    for (const name of names) {
      if (OWN_DATABASES.has(databaseOf(name))) continue;
      const state = sharding.collection(name);
      const blocked = state.blocks(false);
      if (blocked !== undefined) throw new NotPrepared(() => op.waitFor(blocked));
      if (state.known === undefined) unknown.add(name);
      else this.known.set(name, state.known);
    }
    if (unknown.size === 0) return;
    throw new NotPrepared(async () => {
      for (const name of unknown) await sharding.refresh(op, name);
    });
  }

  /** @throws CommandError StaleConfig: the router took it for unsharded */
  private checkNamed(names: readonly string[]): void {
    const { op, sharding } = this;
    const name = this.shardedOf(names);
    if (name === undefined) return;
    // It may be this shard whose knowledge is old.
    if (!LOOKED_AGAIN.has(op)) {
      LOOKED_AGAIN.add(op);
      throw new NotPrepared(async () => {
        await sharding.refresh(op, name);
      });
    }
    throw staleConfigError({
      namespace: name,
      received: ShardVersion.UNSHARDED,
      wanted: this.known.get(name)?.version,
      shardId: sharding.requiredIdentity.shardName,
      because: 'a pipeline was sent to a single shard that involves',
    });
  }

  private shardedOf(names: readonly string[]): string | undefined {
    return names.find((name) => this.known.get(name)?.routing !== undefined);
  }

  private hold(reads: readonly string[], output: string | undefined): void {
    for (const name of new Set(reads)) {
      const known = this.known.get(name);
      if (known !== undefined) hold(this.op, known);
    }
    if (output !== undefined) this.sharding.useForOutput(this.op, output);
    const written = output === undefined ? undefined : this.known.get(output);
    if (output !== undefined && written !== undefined) {
      this.op.writes = new Map([[output, written]]);
    }
  }
}

/** Operations that have read again what they took for sharded. */
const LOOKED_AGAIN = new WeakSet<OperationContext>();

/** Has the router run the view's pipeline itself. */
function shardedView(
  { namespace, pipeline }: { readonly namespace: string; readonly pipeline: readonly Buffer[] },
  view: CollectionDescription | undefined,
): CommandError {
  const stages = new ArrayBuilder();
  for (const stage of pipeline) stages.pushDocument(stage);
  const resolved = documentOf({
    ns: stringValue(namespace),
    pipeline: arrayValue(stages.finish()),
    collation: view && getField(view.options, 'collation'),
  });
  return new CommandError(
    'CommandOnShardedViewNotSupportedOnMongod',
    'Resolved views on sharded collections must be executed by mongos',
    { fields: { resolvedView: documentValue(resolved) } },
  );
}

function joinedShardedView(): CommandError {
  return new CommandError(
    'CommandOnShardedViewNotSupportedOnMongod',
    'A pipeline that reads views of sharded collections must be executed by mongos',
  );
}

function databaseOf(namespace: string): string {
  return namespace.slice(0, namespace.indexOf('.'));
}

/**
 * Views of sharded collections: what their primary shard says of one, and what an operation does with it.
 *
 * An operation on a view goes to the primary shard as if it were a collection. When the view reads a sharded collection the shard answers
 * with what the view stands for, and the router runs that. Nothing is kept here: a definition is never older than the question.
 */
import { getField, documentOf, isEmpty, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { RawValue } from '../../bson/index.ts';
import { compileCollation, stagesOf } from '../../query/index.ts';

/** A view as what it stands for. */
export interface ShardedView {
  /** No view. */
  readonly namespace: string;
  readonly pipeline: readonly Buffer[];
  readonly collation: Buffer;
}

const SIMPLE = documentOf({ locale: stringValue('simple') });

/** Tries an operation on the shards, and when they say that it is about a view of a sharded collection, does it over what that is. */
export async function orOverView<Result>(
  attempt: () => Promise<Result>,
  overView: (view: ShardedView) => Promise<Result> | Result,
): Promise<Result> {
  try {
    return await attempt();
  } catch (error) {
    const view = shardedViewIn(error);
    if (view === undefined) throw error;
    return overView(view);
  }
}

/** A pipeline sent to one shard joins a view of a sharded collection: it has to be split. */
export function joinsShardedView(error: unknown): boolean {
  return isAboutShardedView(error) && resolvedIn(error) === undefined;
}

function shardedViewIn(error: unknown): ShardedView | undefined {
  const resolved = isAboutShardedView(error) ? resolvedIn(error) : undefined;
  if (resolved === undefined) return undefined;
  return {
    namespace: getField(resolved, 'ns')?.asString() ?? '',
    pipeline: stagesOf(getField(resolved, 'pipeline')).map((stage) => Buffer.from(stage)),
    collation: Buffer.from(getField(resolved, 'collation')?.asDocument() ?? SIMPLE),
  };
}

function isAboutShardedView(error: unknown): error is CommandError {
  return (
    error instanceof CommandError && error.codeName === 'CommandOnShardedViewNotSupportedOnMongod'
  );
}

function resolvedIn({ fields }: CommandError): Buffer | undefined {
  const resolved = fields['resolvedView'];
  return resolved instanceof RawValue ? resolved.asDocument() : undefined;
}

/** The collation of an operation on a view is the view's. @throws CommandError OptionNotSupportedOnView for another one */
export function collationThrough(view: ShardedView, given: Buffer | undefined): Buffer {
  if (given === undefined || isEmpty(given)) return view.collation;
  // Collators are made once per set of options.
  if (compileCollation(given) === compileCollation(view.collation)) return view.collation;
  throw new CommandError('OptionNotSupportedOnView', "Cannot override a view's default collation");
}

/**
 * An update or a delete of all that match, on several shards at once.
 *
 * A shard whose part of the data is another than the router thought refuses. By then other shards may have done theirs, and to ask all
 * of them again would do it twice. So what is left is a set of ranges of keys: those that the refusing shard was thought to have. The
 * next attempt asks whoever has them now, and for documents of these ranges only. Each document is changed once wherever it moves.
 */
import {
  ArrayBuilder,
  arrayValue,
  booleanValue,
  documentOf,
  documentValue,
  DocumentBuilder,
  type RawValue,
  setField,
  stringValue,
  unsetField,
  NULL,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { ABOVE_ALL_KEYS, type ShardKeyPattern } from '../../server/cluster.ts';
import { shardRequest } from '../commands/shard-request.ts';
import { worstOf } from '../merge/open-cursors.ts';
import {
  isStale,
  noteStale,
  pauseBefore,
  routeOf,
  shardTarget,
} from '../routing/collection-route.ts';
import type { ShardedCollection } from '../routing/routing-cache.ts';
import { shardNamesOf } from '../targeting/targets.ts';
import { insertUpserted, type ShardedRoute } from './one-document.ts';
import { ARRAY_OF, type Statement } from './statement.ts';
import { writeErrorsOf, numberIn } from './write-outcome.ts';
import type { WriteScope } from './write-batch.ts';

/** Keys from `min` to before `max`, as a chunk's bounds say it. */
interface Range {
  readonly min: Buffer;
  readonly max: Buffer;
  readonly minText: string;
  readonly maxText: string;
}

/** What is still to be done on a shard; without ranges: on all that it has. */
interface Piece {
  readonly shard: string;
  readonly ranges: readonly Range[] | undefined;
}

const MAX_ATTEMPTS = 60;

export async function writeToAll(
  scope: WriteScope,
  route: ShardedRoute,
  statement: Statement,
): Promise<void> {
  const { router, op, batch, outcome } = scope;
  let current = route;
  let pieces: readonly Piece[] = shardNamesOf(
    route.sharded,
    statement.filter,
    statement.collation,
  ).names.map((shard) => ({ shard, ranges: undefined }));
  let matched = 0;
  let hasBegun = false;
  for (let attempt = 1; pieces.length > 0; attempt += 1) {
    const { refused, replies } = await sendPieces(scope, current, statement, pieces);
    hasBegun ||= replies.length > 0;
    for (const reply of replies) {
      matched += numberIn(reply, 'n');
      outcome.addCounts(reply, [statement]);
    }
    if (refused.length === 0) break;
    if (attempt >= MAX_ATTEMPTS)
      throw refused[0]?.error ?? new CommandError('StaleConfig', batch.namespace);
    for (const { error } of refused) noteStale(router, error, [current]);
    await pauseBefore(op, attempt);
    const left = refused.flatMap(({ piece }) => rangesOf(current.sharded, piece));
    const next = await routeOf(router, op, batch.namespace);
    if (next?.sharded === undefined || next.sharded.entry.uuid !== route.sharded.entry.uuid) {
      // It was another collection before: nothing has been done, and the statement begins anew.
      if (!hasBegun) throw refused[0]?.error ?? new CommandError('StaleConfig', batch.namespace);
      throw new CommandError(
        'QueryPlanKilled',
        `collection ${batch.namespace} was dropped or is no longer sharded`,
      );
    }
    current = { ...next, sharded: next.sharded };
    pieces = piecesOf(current.sharded, left);
  }
  if (matched === 0 && statement.upsert) await insertUpserted(scope, current, statement);
}

interface Refusal {
  readonly piece: Piece;
  readonly error: CommandError;
}

async function sendPieces(
  scope: WriteScope,
  route: ShardedRoute,
  statement: Statement,
  pieces: readonly Piece[],
): Promise<{ readonly refused: readonly Refusal[]; readonly replies: readonly Buffer[] }> {
  const refused: Refusal[] = [];
  const replies: Buffer[] = [];
  const errors: unknown[] = [];
  await Promise.all(
    pieces.map(async (piece) => {
      try {
        replies.push(await sendPiece(scope, route, statement, piece));
      } catch (error) {
        if (isStale(error)) refused.push({ piece, error });
        else errors.push(error);
      }
    }),
  );
  if (errors.length === 0) return { refused, replies };
  // What was done counts, whatever the others said.
  for (const reply of replies) scope.outcome.addCounts(reply, [statement]);
  throw worstOf(errors);
}

async function sendPiece(
  { router, op, batch }: WriteScope,
  { sharded }: ShardedRoute,
  statement: Statement,
  { shard, ranges }: Piece,
): Promise<Buffer> {
  const target = await shardTarget(router, op, sharded, shard);
  const name = ARRAY_OF[batch.kind];
  const body = shardRequest(op, batch.command, {
    versions: target.versions,
    set: { [name]: undefined, ordered: booleanValue(true) },
  });
  // Nobody inserts before all have looked.
  const asked = unsetField(statement.raw, 'upsert');
  const raw =
    ranges === undefined
      ? asked
      : setField(
          asked,
          'q',
          documentValue(within(statement.filter, sharded.entry.pattern, ranges)),
        );
  const reply = await target.shard.command(body, op, {
    sequences: [{ identifier: name, documents: [raw] }],
  });
  const [failed] = writeErrorsOf(reply);
  if (failed !== undefined) throw failed.error;
  return reply;
}

/** The ranges that a shard was thought to have, of those that the piece is about. Neighbours are one. */
function rangesOf({ chunks }: ShardedCollection, { shard, ranges }: Piece): Range[] {
  const owned: Range[] = [];
  for (const chunk of chunks) {
    if (chunk.shard !== shard) continue;
    const last = owned.at(-1);
    if (last?.maxText === chunk.minText) {
      owned[owned.length - 1] = { ...last, max: chunk.max, maxText: chunk.maxText };
    } else owned.push(chunk);
  }
  if (ranges === undefined) return owned;
  return owned.flatMap((one) => ranges.flatMap((other) => intersection(one, other)));
}

function intersection(a: Range, b: Range): Range[] {
  const low = a.minText < b.minText ? b : a;
  const high = a.maxText < b.maxText ? a : b;
  if (low.minText >= high.maxText) return [];
  return [{ min: low.min, minText: low.minText, max: high.max, maxText: high.maxText }];
}

/** Who has the ranges now. A shard that shares one with others looks at its own documents only. */
function piecesOf({ chunks }: ShardedCollection, ranges: readonly Range[]): Piece[] {
  const byShard = new Map<string, Range[]>();
  for (const range of ranges) {
    for (const name of chunks.shardsOf({ min: range.minText, max: range.maxText })) {
      const own = byShard.get(name);
      if (own === undefined) byShard.set(name, [range]);
      else own.push(range);
    }
  }
  return Array.from(byShard, ([shard, own]) => ({ shard, ranges: own }));
}

/** The filter, and that the shard key lies in one of the ranges: arrays are compared value by value, in the order of all types. */
function within(filter: Buffer, pattern: ShardKeyPattern, ranges: readonly Range[]): Buffer {
  const key = new ArrayBuilder();
  for (const { path, isHashed } of pattern.fields) {
    const field = listOf([stringValue(`$${path.text}`), NULL]);
    const value = documentValue(documentOf({ $ifNull: field }));
    key.push(isHashed ? documentValue(documentOf({ $toHashedIndexKey: value })) : value);
  }
  const keyValue = arrayValue(key.finish());
  const compared = (operator: string, bound: Buffer): RawValue => {
    const literal = documentOf({ $literal: listOf(pattern.boundValues(bound)) });
    return documentValue(documentOf({ [operator]: listOf([keyValue, documentValue(literal)]) }));
  };
  const alternatives = ranges.map(({ min, max, maxText }) => {
    // Above the last bound nothing lies, MaxKey itself not either.
    const upper = maxText === ABOVE_ALL_KEYS ? [] : [compared('$lt', max)];
    return documentValue(documentOf({ $and: listOf([compared('$gte', min), ...upper]) }));
  });
  const inRanges = documentOf({ $expr: documentValue(documentOf({ $or: listOf(alternatives) })) });
  return new DocumentBuilder()
    .append('$and', listOf([documentValue(filter), documentValue(inRanges)]))
    .finish();
}

function listOf(values: readonly RawValue[]): RawValue {
  const list = new ArrayBuilder();
  for (const value of values) list.push(value);
  return arrayValue(list.finish());
}

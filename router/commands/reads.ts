/**
 * count and distinct through the router.
 */
import {
  ArrayBuilder,
  arrayValue,
  canonicalKey,
  compareValues,
  documentOf,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  integerValue,
  isEmpty,
  parsePath,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../common/limits.ts';
import { collectDistinct, compileCollation, findAsPipeline } from '../../query/index.ts';
import type { ReplyBody } from '../../server/cluster.ts';
import { withRoute } from '../routing/collection-route.ts';
import { collationThrough, orOverView, type ShardedView } from '../routing/views.ts';
import { targetsOf } from '../targeting/targets.ts';
import { numberIn } from '../writes/write-outcome.ts';
import { askAll } from './ask-shards.ts';
import { openOverView } from './over-view.ts';
import { namespaceOf, type Call } from './routed-command.ts';
import { passedOn } from './shard-reply.ts';

export function runCount(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const namespace = namespaceOf(call);
  const filter = body.document('query', EMPTY_DOCUMENT);
  const collation = body.document('collation', undefined);
  const skip = body.limit('skip') ?? 0;
  const limit = Math.abs(body.integer('limit', undefined) ?? 0);
  return withRoute(router, op, namespace, async (route) => {
    if (route === undefined) return call.original.run(body, op);
    const overView = async (view: ShardedView): Promise<ReplyBody> => {
      const pipeline = [...findAsPipeline({ filter, skip, limit }), COUNT];
      const counted = await openOverView(call, { view, pipeline, collation });
      const document = await counted.next();
      counted.close();
      return { n: document === undefined ? 0 : numberIn(document, 'n') };
    };
    const { targets } = await targetsOf(router, op, route, filter, collation);
    const isMerge = targets.length > 1;
    // What is skipped, nobody knows but who sees the sum.
    const set = {
      skip: undefined,
      limit: limit === 0 ? undefined : integerValue(limit + skip),
    };
    return orOverView(async () => {
      const answers = await askAll(call, targets, { isRepeatable: true, ...(isMerge && { set }) });
      const sum = answers.reduce((total, { reply }) => total + numberIn(reply, 'n'), 0);
      if (!isMerge) return { n: sum };
      const left = Math.max(0, sum - skip);
      return { n: limit === 0 ? left : Math.min(left, limit) };
    }, overView);
  });
}

export function runDistinct(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const namespace = namespaceOf(call);
  router.querySettings.apply(op, body.bytes);
  const filter = body.document('query', EMPTY_DOCUMENT);
  const collation = body.document('collation', undefined);
  return withRoute(router, op, namespace, async (route) => {
    if (route === undefined) return call.original.run(body, op);
    const overView = async (view: ShardedView): Promise<ReplyBody> => {
      const path = parsePath(body.string('key'));
      const collator = compileCollation(collationThrough(view, collation));
      const pipeline = findAsPipeline({ filter });
      const documents = await openOverView(call, { view, pipeline, collation });
      const values = await collectDistinct(
        documents,
        path,
        collator === undefined ? {} : { collator },
      );
      documents.close();
      return { values: arrayValue(values) };
    };
    const { targets } = await targetsOf(router, op, route, filter, collation);
    return orOverView(async () => {
      const [first, ...others] = await askAll(call, targets, { isRepeatable: true });
      if (first === undefined) return { values: [] };
      if (others.length === 0) return passedOn(first.reply);
      const effective = collation ?? route.sharded?.entry.defaultCollation;
      const replies = [first, ...others].map(({ reply }) => reply);
      return { values: distinctValues(replies, effective) };
    }, overView);
  });
}

const COUNT = documentOf({ $count: stringValue('n') });

/** The values of all replies, each once, in their order. @throws 17217 when they exceed a document */
function distinctValues(replies: readonly Buffer[], collation: Buffer | undefined): RawValue {
  const collator =
    collation === undefined || isEmpty(collation) ? undefined : compileCollation(collation);
  const values = new Map<string, RawValue>();
  for (const reply of replies) {
    const list = getField(reply, 'values');
    if (list === undefined) continue;
    for (const [, value] of fieldsOf(list.asDocument())) {
      const key = canonicalKey(value, collator);
      if (!values.has(key)) values.set(key, value);
    }
  }
  const array = new ArrayBuilder();
  for (const value of [...values.values()].sort((a, b) => compareValues(a, b, collator))) {
    array.push(value);
  }
  const bytes = array.finish();
  uassert(bytes.length <= MAX_BSON_OBJECT_BYTES, 17217, 'distinct too big, 16mb cap');
  return arrayValue(bytes);
}

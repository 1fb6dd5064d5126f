/**
 * Plans a distinct: the values of one path over the documents of a filter, each once.
 */
import {
  ArrayBuilder,
  BsonType,
  canonicalKey,
  EMPTY_DOCUMENT,
  fieldsOf,
  forEachPathValue,
  parsePath,
  type RawValue,
  type FieldPath,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../common/limits.ts';
import type { QueryContext } from '../context.ts';
import type { OpenOptions } from '../executor/plan-executor.ts';
import type { MaybePromise, ReadView } from '../../storage/index.ts';
import type { DistinctPlan, DistinctRequest, ExplainVerbosity, QueryPlan } from './query-plan.ts';

/** @param source the documents that match the request's filter. */
export function distinctOver(
  source: QueryPlan,
  request: DistinctRequest,
  context: QueryContext,
): DistinctPlan {
  return new DistinctValues(source, parsePath(request.key), context);
}

class DistinctValues implements DistinctPlan {
  private readonly source: QueryPlan;
  private readonly path: FieldPath;
  private readonly context: QueryContext;

  constructor(source: QueryPlan, path: FieldPath, context: QueryContext) {
    this.source = source;
    this.path = path;
    this.context = context;
  }

  get summary(): string {
    return this.source.summary;
  }

  async values(view: ReadView, interruption: Interruption, options?: OpenOptions): Promise<Buffer> {
    const executor = this.source.open(view, interruption, { ...options, inPlace: true });
    try {
      return await collectDistinct(executor, this.path, this.context);
    } finally {
      executor.close();
    }
  }

  explain(
    verbosity: ExplainVerbosity,
    view: ReadView,
    interruption: Interruption,
  ): MaybePromise<Buffer> {
    return this.source.explain(verbosity, view, interruption);
  }
}

/** The values of a path over documents, each once, as a raw array. @throws CommandError 17217 when they exceed a document */
export async function collectDistinct(
  documents: { next(): MaybePromise<Buffer | undefined> },
  path: FieldPath,
  { collator }: Pick<QueryContext, 'collator'>,
): Promise<Buffer> {
  const seen = new Set<string>();
  const values = new ArrayBuilder();
  let bytes = EMPTY_DOCUMENT.length;
  for (;;) {
    const next = documents.next();
    const document = next instanceof Promise ? await next : next;
    if (document === undefined) return values.finish();
    forEachValue(document, path, (value) => {
      const key = canonicalKey(value, collator);
      if (seen.has(key)) return;
      seen.add(key);
      values.push(value);
      bytes += value.end - value.start + 8;
    });
    if (bytes > MAX_BSON_OBJECT_BYTES) {
      throw new CommandError(17217, 'distinct too big, 16mb cap');
    }
  }
}

/** An array at the path's end gives its elements, not itself; missing gives nothing. */
function forEachValue(document: Buffer, path: FieldPath, visit: (value: RawValue) => void): void {
  forEachPathValue(
    document,
    path,
    (value) => {
      if (value === undefined) return false;
      if (value.type !== BsonType.array) visit(value);
      else for (const [, element] of fieldsOf(value.asDocument())) visit(element);
      return false;
    },
    { expandLeafArrays: false },
  );
}

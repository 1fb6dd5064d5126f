/**
 * dataSize: bytes and number of documents of a collection, or of a range of keys.
 * Source: MongoDB's manual, "dataSize".
 */
import {
  BsonType,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  isEmpty,
  MIN_KEY,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { planQuery, type FindRequest } from '../../../query/index.ts';
import type { CollectionDescription, IndexDescription } from '../../../storage/index.ts';
import { checkNotView, wholeNamespace } from '../../catalog/namespace.ts';
import { timeseriesOf } from '../../catalog/timeseries-catalog.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { queryContext } from '../crud/query-context.ts';

interface DataSizeRequest {
  readonly namespace: string;
  readonly keyPattern: Buffer;
  /** Inclusive; empty, as `max` is then, for the whole collection. */
  readonly min: Buffer;
  /** Exclusive. */
  readonly max: Buffer;
  readonly maxBytes: number | undefined;
  readonly maxCount: number | undefined;
}

interface DataSize {
  readonly dataBytes: number;
  readonly recordCount: number;
  /** It stopped at maxSize or maxObjects. */
  readonly maxReached?: true;
}

export const dataSize = defineCommand({
  name: 'dataSize',
  aliases: ['datasize'],
  help: 'Reports the size of the documents of a collection, or of a range of them.',
  kind: 'read',
  access: { action: 'find', on: 'collection' },
  route: 'allShards',
  parse: (body): DataSizeRequest => {
    if (body.target.type !== BsonType.string) {
      throw body.wrongType('dataSize', body.target, "expected type 'string'");
    }
    const namespace = wholeNamespace(body.target.asString());
    body.namespace = namespace;
    // Counts and sizes are kept exactly, so an estimate is not any cheaper.
    body.safeBoolean('estimate', false);
    const min = body.document('min', EMPTY_DOCUMENT);
    const max = body.document('max', EMPTY_DOCUMENT);
    uassert(isEmpty(min) === isEmpty(max), 'BadValue', 'only one of min or max specified');
    return {
      namespace,
      keyPattern: body.document('keyPattern', EMPTY_DOCUMENT),
      min,
      max,
      maxBytes: body.integer('maxSize', undefined, 0),
      maxCount: body.integer('maxObjects', undefined, 0),
    };
  },
  execute: (request, op) => {
    const view = op.view();
    const found = view.collection(request.namespace);
    checkNotView(found);
    const collection = timeseriesOf(view, found)?.buckets ?? found;
    if (collection === undefined) return { dataBytes: 0, recordCount: 0 };
    const { min, maxBytes, maxCount } = request;
    if (!isEmpty(min) || maxBytes !== undefined || maxCount !== undefined) {
      return measure(collection, request, op);
    }
    return { dataBytes: view.dataBytes(collection), recordCount: view.recordCount(collection) };
  },
  reply: ({ dataBytes, recordCount, maxReached }: DataSize, op) => ({
    estimate: false,
    size: BigInt(dataBytes),
    numObjects: BigInt(recordCount),
    maxReached,
    millis: BigInt(Math.round(op.service.clock.monotonicMs() - op.startedMonotonicMs)),
  }),
});

async function measure(
  collection: CollectionDescription,
  request: DataSizeRequest,
  op: OperationContext,
): Promise<DataSize> {
  const view = op.view();
  const find = findOf(collection, request);
  const executor = planQuery(view, collection, find, queryContext(op)).open(view, op);
  const { maxBytes = Infinity, maxCount = Infinity } = request;
  let dataBytes = 0;
  let recordCount = 0;
  try {
    for (;;) {
      const document = await executor.next();
      if (document === undefined) return { dataBytes, recordCount };
      dataBytes += document.length;
      recordCount += 1;
      if (dataBytes > maxBytes || recordCount > maxCount) {
        return { dataBytes, recordCount, maxReached: true };
      }
    }
  } finally {
    executor.close();
  }
}

function findOf(collection: CollectionDescription, request: DataSizeRequest): FindRequest {
  const { namespace, min, max } = request;
  const filter = EMPTY_DOCUMENT;
  if (isEmpty(min)) return { namespace, filter };
  const pattern = isEmpty(request.keyPattern) ? min : request.keyPattern;
  const paths = [...fieldsOf(pattern)].map(([path]) => path);
  const index = collection.indexes.find(
    ({ fields, ready }) => ready && paths.every((path, place) => fields[place]?.path === path),
  );
  if (index === undefined) {
    throw new CommandError('BadValue', "couldn't find valid index containing key pattern");
  }
  return { namespace, filter, hint: index.name, min: bound(min, index), max: bound(max, index) };
}

/** What a bound leaves open of a compound key begins at its smallest. */
function bound(key: Buffer, index: IndexDescription): Buffer {
  const out = new DocumentBuilder();
  for (const { path } of index.fields) out.append(path, getField(key, path) ?? MIN_KEY);
  return out.finish();
}

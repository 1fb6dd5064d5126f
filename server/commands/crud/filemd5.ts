/**
 * filemd5: the MD5 of a GridFS file, chunk by chunk. Old drivers checked their uploads with it.
 * Source: MongoDB's manual, "filemd5".
 */
import { createHash } from 'node:crypto';
import { BsonType, documentOf, getField, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { planQuery } from '../../../query/index.ts';
import type { MaybePromise } from '../../../storage/index.ts';
import { namespaceOf } from '../../catalog/namespace.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import { queryContext } from './query-context.ts';

const OUT_OF_ORDER = 10_040;
const NO_DATA = 50_848;
const WRONG_DATA = 50_849;

export const filemd5 = defineCommand({
  name: 'filemd5',
  help: 'Computes the MD5 of a file in GridFS.',
  kind: 'read',
  access: { action: 'find', on: 'database' },
  route: 'primaryShard',
  lenient: true,
  parse: parseFilemd5,
  async execute({ namespace, file }, op) {
    const view = op.view();
    const request = {
      namespace,
      filter: documentOf({ files_id: file }),
      sort: documentOf({ files_id: 1, n: 1 }),
    };
    const plan = planQuery(view, view.collection(namespace), request, queryContext(op));
    return md5OfChunks(plan.open(view, op));
  },
  reply: (sum) => sum,
});

export function parseFilemd5(body: CommandBody): {
  readonly namespace: string;
  readonly file: RawValue;
} {
  const root = body.value('root');
  uassert(
    root === undefined || root.type === BsonType.string,
    'InvalidNamespace',
    "'root' must be of type String",
  );
  // A state of MD5 to go on with is a matter between routers and shards.
  body.refuse('partialOk');
  const name = root === undefined || root.asString() === '' ? 'fs' : root.asString();
  body.namespace = namespaceOf(body.database, `${name}.chunks`);
  return { namespace: body.namespace, file: body.target };
}

/** @param chunks in their order; they are closed */
export async function md5OfChunks(chunks: {
  next(): MaybePromise<Buffer | undefined>;
  close(): void;
}): Promise<{ readonly numChunks: number; readonly md5: string }> {
  const hash = createHash('md5');
  let numChunks = 0;
  try {
    for (;;) {
      const chunk = await chunks.next();
      if (chunk === undefined) return { numChunks, md5: hash.digest('hex') };
      const n = getField(chunk, 'n');
      uassert(n?.isNumber === true, OUT_OF_ORDER, 'chunks out of order');
      uassert(n.asNumber() === numChunks, OUT_OF_ORDER, 'chunks out of order');
      hash.update(bytesOf(getField(chunk, 'data')));
      numChunks += 1;
    }
  } finally {
    chunks.close();
  }
}

function bytesOf(data: RawValue | undefined): Buffer {
  if (data === undefined) {
    throw new CommandError(
      NO_DATA,
      'The element that calls binDataClean() must be type of BinData, but type of misisng found. Field name is required',
    );
  }
  if (data.type === BsonType.binData) return data.asBinary().bytes;
  throw new CommandError(
    WRONG_DATA,
    `The element that calls binDataClean() must be type of BinData, but type of ${data.typeName} found.`,
  );
}

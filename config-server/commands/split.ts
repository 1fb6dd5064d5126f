/**
 * _configsvrSplit: splits a chunk at a key, or in the middle of its documents.
 * Source: MongoDB's manual, "split".
 */
import { EMPTY_DOCUMENT, FieldCursor, getField, inspect } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { type CommandBody } from '../../server/index.ts';
import {
  defineCommand,
  type Chunk,
  type Command,
  type OperationContext,
} from '../../server/cluster.ts';
import { splitChunk } from '../catalog/split-chunk.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';

type SplitRequest = { readonly namespace: string } & (
  | { readonly by: 'middle'; readonly key: Buffer }
  | { readonly by: 'find'; readonly query: Buffer }
  | { readonly by: 'bounds'; readonly min: Buffer; readonly max: Buffer }
);

export function split(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits('_configsvrSplit', 'Splits a chunk.', 'splitChunk'),
    parse: parseSplit,
    execute: (request, op) => run(server(), op, request),
    reply: () => ({}),
  });
}

function parseSplit(body: CommandBody): SplitRequest {
  const namespace = namespaceIn(body);
  const middle = body.document('middle', undefined);
  const query = body.document('find', undefined);
  const bounds = body.array('bounds', undefined);
  if ([middle, query, bounds].filter((given) => given !== undefined).length !== 1) {
    throw new CommandError(
      'InvalidOptions',
      "cannot specify more than one of 'find', 'middle' and 'bounds', and needs one of them",
    );
  }
  if (middle !== undefined) return { namespace, by: 'middle', key: middle };
  if (query !== undefined) return { namespace, by: 'find', query };
  const { min, max } = boundsOf(bounds ?? []);
  return { namespace, by: 'bounds', min, max };
}

/** Two bounds of a chunk in an array. @throws CommandError InvalidOptions */
export function boundsOf(bounds: readonly { asDocument(): Buffer; readonly typeName: string }[]): {
  readonly min: Buffer;
  readonly max: Buffer;
} {
  if (bounds.length !== 2 || bounds.some(({ typeName }) => typeName !== 'object')) {
    throw new CommandError('InvalidOptions', "'bounds' must be an array of two shard keys");
  }
  return { min: bounds[0].asDocument(), max: bounds[1].asDocument() };
}

async function run(
  server: ConfigServer,
  op: OperationContext,
  request: SplitRequest,
): Promise<void> {
  const { entry, chunks } = await server.catalog.routing(op, request.namespace);
  const { pattern } = entry;
  let chunk: Chunk | undefined;
  if (request.by === 'middle') {
    const text = pattern.boundText(request.key);
    chunk = chunks.chunkOf(text);
    if (chunk.minText !== text) return splitChunk(server, op, request.namespace, [request.key]);
    throw new CommandError(
      'BadValue',
      `new split key ${inspect(request.key)} is a boundary key of existing chunk [${inspect(chunk.min)},${inspect(chunk.max)})`,
    );
  }
  if (request.by === 'find') chunk = chunks.chunkOf(pattern.keyOf(request.query).text);
  else {
    const min = pattern.boundText(request.min);
    chunk = chunks.tryChunk({ min, max: pattern.boundText(request.max) });
    if (chunk === undefined) {
      throw new CommandError(
        'NoSuchKey',
        `no chunk found with bounds [${inspect(request.min)}, ${inspect(request.max)})`,
      );
    }
  }
  return splitInMiddle(server, op, request.namespace, chunk, pattern.pattern);
}

async function splitInMiddle(
  server: ConfigServer,
  op: OperationContext,
  namespace: string,
  chunk: Chunk,
  keyPattern: Buffer,
): Promise<void> {
  const shard = await server.catalog.shard(op, chunk.shard);
  const reply = await server.askShard(op, shard, {
    splitVector: namespace,
    keyPattern,
    min: chunk.min,
    max: chunk.max,
    force: true,
  });
  const keys = new FieldCursor(getField(reply, 'splitKeys')?.asDocument() ?? EMPTY_DOCUMENT);
  if (!keys.next()) {
    throw new CommandError(
      'CannotSplit',
      `unable to find the middle of the chunk [${inspect(chunk.min)}, ${inspect(chunk.max)}): it has too few different keys`,
    );
  }
  await splitChunk(server, op, namespace, [keys.value().asDocument()]);
}

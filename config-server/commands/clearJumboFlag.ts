/**
 * _configsvrClearJumboFlag: a chunk that was found too large to be moved may be moved again.
 * Source: MongoDB's manual, "clearJumboFlag".
 */
import { documentOf, getField, inspect, setField, unsetField } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommandBody } from '../../server/index.ts';
import {
  defineCommand,
  placementValue,
  type CollectionRouting,
  type Command,
  type KeyTextRange,
} from '../../server/cluster.ts';
import { idOf } from '../catalog/chunk-documents.ts';
import { isJumbo } from '../catalog/jumbo-chunks.ts';
import { replaceChunks, type ChunkChange, type ChunksFound } from '../catalog/replace-chunks.ts';
import type { ConfigServerSource } from '../config-server.ts';
import { configTraits, namespaceIn } from './arguments.ts';

interface ClearRequest {
  readonly namespace: string;
  readonly rangeOf: (routing: CollectionRouting) => KeyTextRange;
}

/** Codes without names. */
const NO_KEY_IN_QUERY = 51_260;
const NO_SUCH_CHUNK = 51_261;

export function clearJumboFlag(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrClearJumboFlag',
      'Lets a chunk be moved again that was too large.',
      'clearJumboFlag',
    ),
    parse: parseClear,
    execute: ({ namespace, rangeOf }, op) =>
      replaceChunks(server(), op, namespace, rangeOf, (found) => clearPlan(namespace, found)),
    reply: () => ({}),
  });
}

function parseClear(body: CommandBody): ClearRequest {
  const namespace = namespaceIn(body);
  const find = body.document('find', undefined);
  const bounds = body.array('bounds', undefined);
  uassert(
    bounds === undefined || bounds.length === 2,
    'InvalidOptions',
    'bounds can only have exactly 2 elements',
  );
  uassert(
    find === undefined || bounds === undefined,
    'InvalidOptions',
    'cannot specify bounds and find at the same time',
  );
  if (find !== undefined) return { namespace, rangeOf: (routing) => rangeOfKey(routing, find) };
  uassert(bounds !== undefined, 'InvalidOptions', 'need to specify find or bounds');
  const [min, max] = bounds.map((bound) => {
    if (bound.typeName === 'object') return bound.asDocument();
    throw body.wrongType('bounds', bound, "expected type 'object'");
  });
  return { namespace, rangeOf: (routing) => rangeOfBounds(routing, min, max) };
}

function rangeOfKey({ entry, chunks }: CollectionRouting, find: Buffer): KeyTextRange {
  const hasKey = entry.pattern.fields.every(
    ({ path }) =>
      getField(find, path.text) !== undefined ||
      getField(find, path.parts[0])?.typeName === 'object',
  );
  if (!hasKey) {
    throw new CommandError(NO_KEY_IN_QUERY, `no shard key found in chunk query ${inspect(find)}`);
  }
  const { minText, maxText } = chunks.chunkOf(entry.pattern.keyOf(find).text);
  return { min: minText, max: maxText };
}

function rangeOfBounds(
  { entry: { pattern }, chunks }: CollectionRouting,
  min: Buffer,
  max: Buffer,
): KeyTextRange {
  const range = { min: pattern.boundText(min), max: pattern.boundText(max) };
  if (chunks.tryChunk(range) !== undefined) return range;
  throw new CommandError(
    NO_SUCH_CHUNK,
    `no chunk found with the shard key bounds [${inspect(min)}, ${inspect(max)})`,
  );
}

function clearPlan(
  namespace: string,
  { routing, chunks: [chunk], documents: [document] }: ChunksFound,
): ChunkChange | undefined {
  const before = document.value;
  if (before === undefined || !isJumbo(before)) return undefined;
  const lastmod = placementValue({ major: routing.chunks.version.major + 1, minor: 0 });
  const value = setField(unsetField(before, 'jumbo'), 'lastmod', lastmod);
  const details = documentOf({ min: chunk.min, max: chunk.max });
  return {
    puts: [{ key: { set: 'chunks', id: idOf(before) }, value }],
    entry: { what: 'clearJumboFlag', namespace, details },
  };
}

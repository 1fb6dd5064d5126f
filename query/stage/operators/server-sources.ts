/**
 * Stages whose documents only the server has: operations, sessions, statistics, changes. And those of Atlas, refused.
 */
import { BsonType, documentOf, isEmpty, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError, type ErrorCodeName } from '../../../common/errors.ts';
import { defineStage, type PipelineRun, type StageDefinition } from '../definition.ts';
import { AsyncIterableSource, type DocumentSource, IterableSource } from '../source.ts';

function openSource(name: string, argument: RawValue, run: PipelineRun): DocumentSource {
  const given =
    argument.type === BsonType.object ? argument.asDocument() : documentOf({ value: argument });
  const { namespace, view, collection, interruption } = run;
  const documents = run.host.source?.(name, given, { namespace, view, collection, interruption });
  if (documents === undefined) {
    throw new CommandError('CommandNotSupported', `${name} is not supported by this server`);
  }
  return Symbol.asyncIterator in documents
    ? new AsyncIterableSource(documents)
    : new IterableSource(documents);
}

function serverSource({
  name,
  withoutCollection,
  code,
  isEmpty: mustBeEmpty,
}: Source): StageDefinition {
  return defineStage({
    name,
    position: 'first',
    withoutCollection,
    notInside: ['$facet', '$lookup', '$unionWith'],
    parse: (argument, _parser, shown) => {
      const isObject = argument.type === BsonType.object;
      uassert(isObject, code, `${name} must take a nested object but found: ${argument.typeName}`);
      uassert(
        mustBeEmpty !== true || isEmpty(argument.asDocument()),
        code,
        `The ${name} stage specification must be an empty object`,
      );
      return [
        {
          name,
          nature: { kind: 'other' },
          shown,
          isSource: true,
          open: (_input, run) => openSource(name, argument, run),
        },
      ];
    },
  });
}

function searchStage(name: string): StageDefinition {
  return defineStage({
    name,
    position: 'first',
    parse: () => {
      throw new CommandError(
        'SearchNotEnabled',
        'Using $search and $vectorSearch aggregation stages requires additional configuration. This server has no search.',
      );
    },
  });
}

interface Source {
  readonly name: string;
  /** It stands on no collection ({aggregate: 1}). */
  readonly withoutCollection: boolean;
  /** Of the error for an argument that is no object. */
  readonly code: ErrorCodeName | number;
  /** The argument must be an empty object. */
  readonly isEmpty?: boolean;
}

const SOURCES: readonly Source[] = [
  { name: '$changeStream', withoutCollection: true, code: 6188500 },
  { name: '$collStats', withoutCollection: false, code: 5447000 },
  { name: '$currentOp', withoutCollection: true, code: 'TypeMismatch' },
  { name: '$indexStats', withoutCollection: false, code: 28803, isEmpty: true },
  { name: '$listCatalog', withoutCollection: true, code: 6200600, isEmpty: true },
  { name: '$listLocalSessions', withoutCollection: true, code: 'TypeMismatch' },
  { name: '$listSampledQueries', withoutCollection: true, code: 6876001 },
  { name: '$listSessions', withoutCollection: false, code: 'TypeMismatch' },
  // What a router has of its shards.
  { name: '$mergeCursors', withoutCollection: true, code: 'TypeMismatch' },
  { name: '$planCacheStats', withoutCollection: false, code: 'FailedToParse' },
  { name: '$querySettings', withoutCollection: true, code: 7746800 },
  { name: '$queryStats', withoutCollection: true, code: 'FailedToParse' },
  { name: '$shardedDataDistribution', withoutCollection: true, code: 6789100, isEmpty: true },
];

export const SERVER_SOURCES: readonly StageDefinition[] = [
  ...SOURCES.map((source) => serverSource(source)),
  ...['$search', '$searchMeta', '$vectorSearch', '$listSearchIndexes'].map(searchStage),
];

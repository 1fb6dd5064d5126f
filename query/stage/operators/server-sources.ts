/**
 * Stages whose documents only the server has: operations, sessions, statistics, changes. And those of Atlas, refused.
 */
import { BsonType, documentOf, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
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

function serverSource(name: string, withoutCollection: boolean): StageDefinition {
  return defineStage({
    name,
    position: 'first',
    withoutCollection,
    notInside: ['$facet', '$lookup', '$unionWith'],
    parse: (argument, _parser, shown) => {
      if (argument.type !== BsonType.object) {
        throw new CommandError(
          'FailedToParse',
          `${name} must take a nested object but found: ${argument.typeName}`,
        );
      }
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

/** The sources of a server, by name; true: they stand on no collection ({aggregate: 1}). */
const SOURCES: readonly (readonly [string, boolean])[] = [
  ['$changeStream', true],
  ['$collStats', false],
  ['$currentOp', true],
  ['$indexStats', false],
  ['$listCatalog', true],
  ['$listLocalSessions', true],
  ['$listSampledQueries', true],
  ['$listSessions', false],
  ['$planCacheStats', false],
  ['$querySettings', true],
  ['$queryStats', true],
  ['$shardedDataDistribution', true],
];

export const SERVER_SOURCES: readonly StageDefinition[] = [
  ...SOURCES.map(([name, withoutCollection]) => serverSource(name, withoutCollection)),
  ...['$search', '$searchMeta', '$vectorSearch', '$listSearchIndexes'].map(searchStage),
];

/**
 * Plans pipelines over time series: what stands behind $_internalUnpackBucket tells it which buckets, which fields and which
 * measurements are wanted.
 *
 * Promises: a pipeline without that stage comes back as it is.
 */
import { documentOf, documentValue, getField, isEmpty, setField } from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import { parseFilter } from '../matcher/parse.ts';
import type { PipelineStage } from '../stage/definition.ts';
import { mapStage } from '../stage/map-stage.ts';
import { unpackStage } from '../stage/operators/internal-unpack-bucket.ts';
import { matchStage } from '../stage/operators/match.ts';
import { measurementKeyPattern } from '../timeseries/bucket-indexes.ts';
import type { TimeseriesOptions } from '../timeseries/options.ts';
import { bucketFilterOf } from '../timeseries/bucket-filter.ts';
import type { TimeRange } from '../timeseries/bucket-unpacker.ts';
import { addFieldsOf, fieldsNeeded } from './fields-needed.ts';

/** @param stages optimised: neighbouring filters are one. */
export function optimizeUnpacking(
  stages: readonly PipelineStage[],
  context: QueryContext,
): readonly PipelineStage[] {
  const position = stages.findIndex((stage) => stage.nature.kind === 'unpack');
  const nature = stages[position]?.nature;
  if (nature?.kind !== 'unpack') return stages;
  const { unpack } = nature;
  // An eventFilter means that the stage came rewritten; there is nothing left to tell it.
  if (unpack.eventFilter !== undefined || unpack.include !== undefined) return stages;
  let rest = stages.slice(position + 1);
  const before = stages.slice(0, position);
  let eventFilter: Buffer | undefined;
  let times: TimeRange | undefined;
  const first = rest[0]?.nature;
  // What is excluded is missing to a filter, which bucket-level conditions do not know.
  if (first?.kind === 'match' && unpack.exclude.length === 0) {
    const { buckets, measurements, ...found } = bucketFilterOf(first.filter, unpack, context);
    if (!isEmpty(buckets)) before.push(matchStage(buckets, context));
    eventFilter = isEmpty(measurements) ? undefined : measurements;
    times = found.times;
    rest = rest.slice(1);
  }
  const include = unpack.exclude.length > 0 ? undefined : fieldsWanted(rest, eventFilter, context);
  return [...before, unpackStage({ ...unpack, eventFilter, times, include }, context), ...rest];
}

/** Names of the top-level fields that the stages and the filter read; undefined: possibly all. */
function fieldsWanted(
  stages: readonly PipelineStage[],
  filter: Buffer | undefined,
  context: QueryContext,
): readonly string[] | undefined {
  const needed = fieldsNeeded(stages, context);
  if (needed === undefined) return undefined;
  const names = new Set<string>();
  if (filter !== undefined && !addFieldsOf(parseFilter(filter, context), names)) return undefined;
  for (const name of needed) names.add(name);
  return [...names];
}

/** Behind $indexStats of a time series: its indexes are shown as clients know them, those of buckets alone are not. */
export function withShownIndexes(
  [source, ...rest]: readonly PipelineStage[],
  options: TimeseriesOptions,
): readonly PipelineStage[] {
  if (source?.name !== '$indexStats') return source === undefined ? rest : [source, ...rest];
  const name = '$_internalConvertBucketIndexStats';
  const shown = documentOf({ [name]: documentOf({ timeField: options.timeField }) });
  const convert = mapStage(name, shown, () => (index) => withShownKey(index, options), {
    kind: 'other',
  });
  return [source, convert, ...rest];
}

function withShownKey(index: Buffer, options: TimeseriesOptions): Buffer | undefined {
  const key = getField(index, 'key')?.asDocument();
  const pattern = key === undefined ? undefined : measurementKeyPattern(key, options);
  if (pattern === undefined) return undefined;
  const shown = setField(index, 'key', documentValue(pattern));
  const spec = getField(index, 'spec')?.asDocument();
  if (spec === undefined) return shown;
  const original =
    getField(spec, 'originalSpec') ?? documentValue(setField(spec, 'key', documentValue(pattern)));
  return setField(shown, 'spec', original);
}

/**
 * Resolves a view, or a time series, to the collection below it and the pipeline that makes its documents.
 */
import { getField } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { stagesOf } from './involved-namespaces.ts';
import type { CollectionDescription, ReadView } from '../../storage/index.ts';
import {
  bucketsNamespace,
  timeseriesOptionsOf,
  type TimeseriesOptions,
  unpackPipeline,
} from '../timeseries/options.ts';

/** Views on views, at most. */
const MAX_VIEW_DEPTH = 20;

export interface ResolvedNamespace {
  /** undefined when it does not exist. */
  readonly collection: CollectionDescription | undefined;
  readonly namespace: string;
  /** Stages to put before those of the request. */
  readonly pipeline: readonly Buffer[];
  /** Set when the collection holds the buckets of a time series. */
  readonly timeseries: TimeseriesOptions | undefined;
}

/** @throws CommandError 165 for views nested too deeply. */
export function resolveView(
  view: ReadView,
  collection: CollectionDescription | undefined,
  namespace: string,
): ResolvedNamespace {
  let current = collection;
  let name = namespace;
  let pipeline: readonly Buffer[] = [];
  let timeseries: TimeseriesOptions | undefined;
  for (let depth = 0; current !== undefined && current.kind !== 'collection'; depth += 1) {
    if (depth === MAX_VIEW_DEPTH) {
      throw new CommandError(
        'ViewDepthLimitExceeded',
        `View depth too deep or view cycle detected; maximum depth is ${MAX_VIEW_DEPTH}`,
      );
    }
    const { options } = current;
    timeseries = timeseriesOptionsOf(options);
    if (timeseries === undefined) {
      name = `${databaseOf(name)}.${getField(options, 'viewOn')?.asString() ?? ''}`;
      pipeline = [...stagesOf(getField(options, 'pipeline')), ...pipeline];
    } else {
      name = bucketsNamespace(name);
      pipeline = [...unpackPipeline(timeseries), ...pipeline];
    }
    current = view.collection(name);
  }
  return { collection: current, namespace: name, pipeline, timeseries };
}

/** The part of a namespace before its first dot. */
export function databaseOf(namespace: string): string {
  const dot = namespace.indexOf('.');
  return dot < 0 ? namespace : namespace.slice(0, dot);
}

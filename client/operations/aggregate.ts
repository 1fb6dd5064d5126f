/**
 * aggregate.
 */
import type { Document } from 'bson';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';
import type { AggregateOptions } from '../types/options.ts';
import { fieldsFrom } from './scope.ts';

const FIELDS = [
  'allowDiskUse',
  'bypassDocumentValidation',
  'collation',
  'comment',
  'hint',
  'let',
  'maxTimeMS',
  'rawData',
] as const;

/** @param target a collection, or 1 for the database. */
export function aggregateCommand(
  target: string | 1,
  pipeline: readonly Document[],
  options: AggregateOptions,
): Document {
  const { batchSize, cursor, out } = options;
  const stages = out === undefined ? pipeline : [...pipeline, { $out: out }];
  const settings: Document = { ...cursor };
  // A pipeline that writes has no batches: a batch size of zero would leave it unrun.
  if (batchSize !== undefined && !writes(stages)) settings['batchSize'] ??= batchSize;
  return {
    aggregate: target,
    pipeline: stages,
    ...fieldsFrom(options, FIELDS),
    cursor: settings,
  };
}

/** Whether it ends in $out or $merge. */
export function writes(pipeline: readonly Document[]): boolean {
  const last = pipeline.at(-1);
  return last !== undefined && (last['$out'] !== undefined || last['$merge'] !== undefined);
}

export function checkPipeline(pipeline: unknown): void {
  if (!Array.isArray(pipeline)) {
    throw new MongoInvalidArgumentError(
      'Argument "pipeline" must be an array of aggregation stages',
    );
  }
}

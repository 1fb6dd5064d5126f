/**
 * Stages that treat each document by itself.
 */
import type { PipelineStage, StageNature } from './definition.ts';
import { type DocumentMap, MapSource } from './source.ts';

/** @param makeMap gives a map of its own for each run: maps may keep scratch state. */
export function mapStage(
  name: string,
  shown: Buffer,
  makeMap: () => DocumentMap,
  nature: StageNature = { kind: 'oneToOne' },
): PipelineStage {
  return {
    name,
    nature,
    shown,
    map: makeMap,
    evaluation: { start: makeMap },
    letsGo: true,
    open: (input, run) => new MapSource(run.yielder, input, makeMap()),
  };
}

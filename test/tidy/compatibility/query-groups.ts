/**
 * The operators and stages of query/, from their registries.
 */
import { serialize, type Document } from 'bson';
import { documentValue } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { SeededRandom } from '../../../common/random.ts';
import {
  compileExpression,
  compileFilter,
  compileProjection,
  compileUpdate,
  simpleContext,
} from '../../../query/index.ts';
import { accumulatorNames, findAccumulator } from '../../../query/accumulator/registry.ts';
import type { ExpressionDefinition } from '../../../query/expression/definition.ts';
import { expressionNames, findExpression } from '../../../query/expression/registry.ts';
import { FIELD_OPERATORS, TOP_LEVEL_OPERATORS } from '../../../query/matcher/registry.ts';
import { parseSort } from '../../../query/planner/sort-pattern.ts';
import type { StageDefinition } from '../../../query/stage/definition.ts';
import { SERVER_SOURCES } from '../../../query/stage/operators/server-sources.ts';
import { parsePipeline } from '../../../query/stage/pipeline.ts';
import { findStage, stageNames } from '../../../query/stage/registry.ts';
import { MODIFIERS } from '../../../query/update/registry.ts';
import { findWindow, windowNames } from '../../../query/window/registry.ts';
import { refusalCodeOf, sourceStageNames } from '../../../server/commands/crud/server-sources.ts';
import { supportByDefinition, supportByExample, type Support } from './evidence.ts';
import type { Group } from './group.ts';

const context = simpleContext(systemClock, new SeededRandom(1));
const bson = (document: Document): Buffer => Buffer.from(serialize(document));
const value = (document: Document) => documentValue(bson(document));

const filter = (document: Document) => compileFilter(bson(document), context);
const project = (document: Document) => compileProjection(bson(document), { context });
const update = (document: Document, arrayFilters?: Document[]) =>
  compileUpdate(value(document), {
    context,
    ...(arrayFilters === undefined ? {} : { arrayFilters: arrayFilters.map(bson) }),
  });
const express = (document: Document) => compileExpression(value(document), context);
const pipeline = (...stages: Document[]) =>
  parsePipeline(stages.map(bson), context, { database: 'test', namespace: 'test.c' });

type Examples = Readonly<Record<string, () => unknown>>;

/** Parts of other operators, and what stands in the place of a path or a sort. */
const FILTER_EXAMPLES: Examples = {
  $box: () =>
    filter({
      a: {
        $geoWithin: {
          $box: [
            [0, 0],
            [1, 1],
          ],
        },
      },
    }),
  $center: () => filter({ a: { $geoWithin: { $center: [[0, 0], 1] } } }),
  $centerSphere: () => filter({ a: { $geoWithin: { $centerSphere: [[0, 0], 1] } } }),
  $geometry: () =>
    filter({ a: { $geoIntersects: { $geometry: { type: 'Point', coordinates: [0, 0] } } } }),
  $maxDistance: () => filter({ a: { $near: [0, 0], $maxDistance: 1 } }),
  $minDistance: () => filter({ a: { $near: [0, 0], $minDistance: 1 } }),
  $natural: () => parseSort(bson({ $natural: -1 })),
  $polygon: () =>
    filter({
      a: {
        $geoWithin: {
          $polygon: [
            [0, 0],
            [0, 1],
            [1, 0],
          ],
        },
      },
    }),
  $rand: () => filter({ $expr: { $lt: [{ $rand: {} }, 0.5] } }),
};

function filterOperator(name: string): Support {
  const example = FILTER_EXAMPLES[name];
  if (example !== undefined) return supportByExample(example, 'part of a filter, sort or shape');
  if (FIELD_OPERATORS.has(name)) {
    return supportByDefinition(name, 'before a value', () => filter({ a: { [name]: {} } }));
  }
  const note = TOP_LEVEL_OPERATORS.has(name) ? 'in the place of a path' : undefined;
  return supportByDefinition(name, note, () => filter({ [name]: {} }));
}

const UPDATE_EXAMPLES: Examples = {
  $: () => update({ $set: { 'a.$': 1 } }),
  '$[]': () => update({ $set: { 'a.$[]': 1 } }),
  '$[<identifier>]': () => update({ $set: { 'a.$[x]': 1 } }, [{ x: 2 }]),
  $each: () => update({ $addToSet: { a: { $each: [1] } } }),
  $position: () => update({ $push: { a: { $each: [1], $position: 0 } } }),
  $rename: () => update({ $rename: { a: 'b' } }),
  $slice: () => update({ $push: { a: { $each: [1], $slice: 3 } } }),
  $sort: () => update({ $push: { a: { $each: [1], $sort: 1 } } }),
};

function updateOperator(name: string): Support {
  const example = UPDATE_EXAMPLES[name];
  if (example !== undefined) return supportByExample(example);
  return supportByDefinition(name, MODIFIERS.has(name) ? '' : undefined, () =>
    update({ [name]: { a: {} } }),
  );
}

const PROJECTION_EXAMPLES: Examples = {
  $: () => project({ 'a.$': 1 }),
  $elemMatch: () => project({ a: { $elemMatch: { b: 1 } } }),
  $meta: () => project({ a: { $meta: 'sortKey' } }),
  $slice: () => project({ a: { $slice: 2 } }),
};

function expressionOperator(name: string): Support {
  const definition = findExpression(name);
  return supportByDefinition(name, definition && argumentsOf(definition), () =>
    express({ [name]: {} }),
  );
}

function argumentsOf({ args }: ExpressionDefinition): string {
  if (args === 'special') return 'named arguments, or a form of its own';
  if (typeof args === 'number') return args === 1 ? '1 argument' : `${args} arguments`;
  const [least, most] = args;
  if (most === Infinity)
    return least === 0 ? 'any number of arguments' : `${least} arguments or more`;
  return least === most ? `${least} arguments` : `${least} to ${most} arguments`;
}

function accumulator(name: string): Support {
  const note = findAccumulator(name) === undefined ? undefined : '';
  return supportByDefinition(name, note, () =>
    pipeline({ $group: { _id: null, a: { [name]: {} } } }),
  );
}

function windowOperator(name: string): Support {
  const isAccumulator = findAccumulator(name) !== undefined;
  const note = findWindow(name) && (isAccumulator ? 'accumulator over a window' : '');
  return supportByDefinition(name, note, () =>
    pipeline({ $setWindowFields: { sortBy: { b: 1 }, output: { a: { [name]: {} } } } }),
  );
}

/** Stages whose documents only the server has. */
const SERVER_STAGES = new Set(SERVER_SOURCES.map(({ name }) => name));

function stage(name: string): Support {
  const definition = findStage(name);
  const support = supportByDefinition(name, definition && placeOf(definition), () =>
    pipeline({ [name]: {} }),
  );
  const isMissing = SERVER_STAGES.has(name) && !sourceStageNames().includes(name);
  return support.works && isMissing
    ? { works: false, note: `error ${refusalCodeOf(name)}` }
    : support;
}

function placeOf({ position, withoutCollection }: StageDefinition): string {
  const place = { first: 'the first stage', last: 'the last stage', anywhere: '' }[position];
  const collection = withoutCollection === true ? 'needs no collection' : '';
  return [place, collection].filter((part) => part !== '').join('; ');
}

export const QUERY_GROUPS: readonly Group[] = [
  {
    key: 'filterOperators',
    title: 'Filter operators',
    defined: () => [...FIELD_OPERATORS.keys(), ...TOP_LEVEL_OPERATORS.keys()],
    support: filterOperator,
  },
  {
    key: 'updateOperators',
    title: 'Update operators',
    defined: () => [...MODIFIERS.keys(), ...Object.keys(UPDATE_EXAMPLES)],
    support: updateOperator,
  },
  {
    key: 'projectionOperators',
    title: 'Projection operators',
    defined: () => Object.keys(PROJECTION_EXAMPLES),
    support: (name) =>
      supportByExample(PROJECTION_EXAMPLES[name] ?? (() => project({ a: { [name]: 1 } }))),
  },
  {
    key: 'expressions',
    title: 'Expression operators',
    defined: expressionNames,
    support: expressionOperator,
  },
  {
    key: 'systemVariables',
    title: 'System variables',
    defined: () => [],
    support: (name) => supportByExample(() => express({ a: name })),
  },
  { key: 'accumulators', title: 'Accumulators', defined: accumulatorNames, support: accumulator },
  {
    key: 'windowOperators',
    title: 'Window operators',
    defined: windowNames,
    support: windowOperator,
  },
  { key: 'stages', title: 'Aggregation stages', defined: stageNames, support: stage },
];

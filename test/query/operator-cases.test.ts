/**
 * Every operator of the registries has cases for every edge of values, or a reason why an edge has no meaning for it.
 *
 * The edges of a case are derived from its input (edges/edge.ts); the tables beside them hold what else operators do. All are
 * counted here.
 */
import assert from 'node:assert/strict';
import { accumulatorNames } from '../../query/accumulator/registry.ts';
import { expressionNames } from '../../query/expression/registry.ts';
import { FIELD_OPERATORS, TOP_LEVEL_OPERATORS } from '../../query/matcher/registry.ts';
import { stageNames } from '../../query/stage/registry.ts';
import { MODIFIERS } from '../../query/update/registry.ts';
import { windowNames } from '../../query/window/registry.ts';
import { CASES as ACCUMULATORS } from './accumulator/accumulators.test.ts';
import { EDGES as ACCUMULATOR_EDGES } from './edges/accumulators.test.ts';
import { EDGES as ARITHMETIC_EDGES } from './edges/arithmetic.test.ts';
import { EDGES as ARRAY_EDGES } from './edges/arrays.test.ts';
import { EDGES as DATE_EDGES } from './edges/dates.test.ts';
import { EDGES, edgesOfTable, type Table } from './edges/edge.ts';
import { EXEMPT, type Exemption } from './edges/exempt.ts';
import { EDGES as FILTER_EDGES } from './edges/filters.test.ts';
import { EDGES as PROJECTION_EDGES } from './edges/projections.test.ts';
import {
  ACCUMULATOR_SCRIPTS,
  EXPRESSION_SCRIPTS,
  QUERY_SERVED,
  STAGES_SERVED,
} from './edges/served.test.ts';
import { EDGES as STAGE_EDGES } from './edges/stages.test.ts';
import { EDGES as TEXT_EDGES } from './edges/texts.test.ts';
import { EDGES as UPDATE_EDGES } from './edges/updates.test.ts';
import { EDGES as WINDOW_EDGES } from './edges/windows.test.ts';
import { CASES as ARITHMETIC } from './expression/arithmetic.test.ts';
import { CASES as COLLECTIONS } from './expression/collections.test.ts';
import { CASES as REAL_FUNCTIONS } from './expression/real-functions.test.ts';
import { CASES as TEXT_AND_TIME } from './expression/text-and-time.test.ts';
import { CASES as FILTERS, ERRORS as BAD_FILTERS } from './matcher/operators.test.ts';
import { CASES as PROJECTIONS, ERRORS as BAD_PROJECTIONS } from './projection/projection.test.ts';
import { CASES as PIPELINES, ERRORS as BAD_PIPELINES } from './stage/pipelines.test.ts';
import { CASES as UPDATES, ERRORS as BAD_UPDATES } from './update/operators.test.ts';
import { CASES as WINDOWS } from './window/windows.test.ts';

interface Family {
  readonly title: string;
  readonly names: readonly string[];
  readonly edges: readonly Table[];
  /** What is tested of these operators besides the edges. */
  readonly cases: readonly unknown[];
}

const FAMILIES: readonly Family[] = [
  {
    title: 'expressions',
    names: expressionNames(),
    edges: [
      ...ARITHMETIC_EDGES,
      ...ARRAY_EDGES,
      ...DATE_EDGES,
      ...TEXT_EDGES,
      ...EXPRESSION_SCRIPTS,
    ],
    cases: [...ARITHMETIC, ...COLLECTIONS, ...REAL_FUNCTIONS, ...TEXT_AND_TIME],
  },
  {
    title: 'query operators',
    names: [...FIELD_OPERATORS.keys(), ...TOP_LEVEL_OPERATORS.keys()],
    edges: [...FILTER_EDGES, ...QUERY_SERVED],
    cases: [...FILTERS, ...BAD_FILTERS],
  },
  {
    title: 'update operators',
    names: [...MODIFIERS.keys(), '$rename'],
    edges: UPDATE_EDGES,
    cases: [...UPDATES, ...BAD_UPDATES],
  },
  {
    title: 'projection operators',
    names: ['inclusion', 'exclusion', '$', '$slice', '$elemMatch', '$meta'],
    edges: PROJECTION_EDGES,
    cases: [...PROJECTIONS, ...BAD_PROJECTIONS],
  },
  {
    title: 'accumulators',
    names: accumulatorNames(),
    edges: [...ACCUMULATOR_EDGES, ...ACCUMULATOR_SCRIPTS],
    cases: ACCUMULATORS,
  },
  { title: 'window operators', names: windowNames(), edges: WINDOW_EDGES, cases: WINDOWS },
  {
    title: 'stages',
    names: stageNames(),
    edges: [...STAGE_EDGES, ...STAGES_SERVED],
    cases: [...PIPELINES, ...BAD_PIPELINES],
  },
];

function edgesOf(operator: string, tables: readonly Table[]): Set<string> {
  const own = tables.filter((table) => table.operator === operator);
  return new Set(own.flatMap((table) => [...edgesOfTable(table)]));
}

/** The reasons of a family, one for each operator and edge, as `operator: edge`. */
function reasons(exemptions: readonly Exemption[]): string[] {
  return exemptions.flatMap(({ operators, edges }) =>
    operators.flatMap((operator) => edges.map((edge) => `${operator}: ${edge}`)),
  );
}

describe('the cases of operators', () => {
  for (const { title, names, edges } of FAMILIES) {
    const exempt = new Set(reasons(EXEMPT[title] ?? []));

    it(`cover every edge of all ${title}`, () => {
      const without = names.flatMap((name) => {
        const covered = edgesOf(name, edges);
        return EDGES.filter((edge) => !covered.has(edge)).map((edge) => `${name}: ${edge}`);
      });
      assert.deepEqual(
        without.filter((each) => !exempt.has(each)),
        [],
      );
    });

    it(`need every reason for an edge that no case of ${title} has`, () => {
      const covered = new Set(
        names.flatMap((name) => [...edgesOf(name, edges)].map((edge) => `${name}: ${edge}`)),
      );
      const known = new Set(names);
      const superfluous = [...exempt].filter(
        (each) => covered.has(each) || !known.has(each.slice(0, each.indexOf(':'))),
      );
      assert.deepEqual(superfluous, []);
    });

    it(`are about ${title} that there are`, () => {
      const known = new Set(names);
      assert.deepEqual(
        edges.map(({ operator }) => operator).filter((name) => !known.has(name)),
        [],
      );
    });
  }

  it('are counted', () => {
    const lines = FAMILIES.flatMap(({ edges }) => edges).reduce(
      (sum, table) => sum + table.lines.length,
      0,
    );
    const others = new Set(FAMILIES.flatMap(({ cases }) => cases)).size;
    const operators = FAMILIES.flatMap(({ names }) => names).length;
    console.log(
      `      operator cases: ${lines + others} (${lines} of them at edges) in ${operators} operators`,
    );
    assert.ok(lines + others > 8000);
  });
});

/**
 * Every operator has cases: counts those of all tables, operator by operator, and names the operators without any.
 */
import assert from 'node:assert/strict';
import { readProjectFile } from '../tidy/source-tree.ts';
import { accumulatorNames } from '../../query/accumulator/registry.ts';
import { expressionNames } from '../../query/expression/registry.ts';
import { FIELD_OPERATORS, TOP_LEVEL_OPERATORS } from '../../query/matcher/registry.ts';
import { stageNames } from '../../query/stage/registry.ts';
import { MODIFIERS } from '../../query/update/registry.ts';
import { windowNames } from '../../query/window/registry.ts';
import { CASES as ACCUMULATORS } from './accumulator/accumulators.test.ts';
import { CASES as ARITHMETIC } from './expression/arithmetic.test.ts';
import { CASES as COLLECTIONS } from './expression/collections.test.ts';
import { CASES as REAL_FUNCTIONS } from './expression/real-functions.test.ts';
import { CASES as TEXT_AND_TIME } from './expression/text-and-time.test.ts';
import { CASES as FILTERS, ERRORS as BAD_FILTERS } from './matcher/operators.test.ts';
import { CASES as PROJECTIONS, ERRORS as BAD_PROJECTIONS } from './projection/projection.test.ts';
import { CASES as PIPELINES, ERRORS as BAD_PIPELINES } from './stage/pipelines.test.ts';
import { CASES as UPDATES, ERRORS as BAD_UPDATES } from './update/operators.test.ts';
import { CASES as WINDOWS } from './window/windows.test.ts';

/** Names with a dollar that stand as keys anywhere in a case. */
function operatorsIn(value: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const item of value) operatorsIn(item, found);
  else if (typeof value === 'object' && value !== null && !('_bsontype' in value)) {
    for (const [key, inner] of Object.entries(value)) {
      if (key.startsWith('$')) found.add(key);
      operatorsIn(inner, found);
    }
  }
  return found;
}

interface Family {
  readonly title: string;
  readonly names: Iterable<string>;
  readonly cases: readonly unknown[];
}

const FAMILIES: readonly Family[] = [
  {
    title: 'expressions',
    names: expressionNames(),
    cases: [...ARITHMETIC, ...COLLECTIONS, ...REAL_FUNCTIONS, ...TEXT_AND_TIME],
  },
  {
    title: 'query operators',
    names: [...FIELD_OPERATORS.keys(), ...TOP_LEVEL_OPERATORS.keys()],
    cases: [...FILTERS, ...BAD_FILTERS],
  },
  { title: 'update operators', names: MODIFIERS.keys(), cases: [...UPDATES, ...BAD_UPDATES] },
  {
    title: 'projection operators',
    names: ['$slice', '$elemMatch', '$meta'],
    cases: [...PROJECTIONS, ...BAD_PROJECTIONS],
  },
  { title: 'accumulators', names: accumulatorNames(), cases: [...ACCUMULATORS, ...PIPELINES] },
  { title: 'window operators', names: windowNames(), cases: WINDOWS },
  { title: 'stages', names: stageNames(), cases: [...PIPELINES, ...BAD_PIPELINES] },
];

/** Operators whose cases stand in tests of their own, because they need an index, a server or a clock. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  'test/query/script/scripts.test.ts': ['$function', '$accumulator', '$where'],
  'test/server/commands/crud/map-reduce.test.ts': ['$_internalJsEmit'],
  'test/query/matcher/geo.test.ts': ['$geoWithin', '$geoIntersects', '$within'],
  'test/query/geo-index/near.test.ts': ['$near', '$nearSphere', '$minDistance', '$maxDistance'],
  'test/integration/text-and-geo.test.ts': ['$geoNear'],
  'test/server/commands/crud/output-stages.test.ts': ['$merge', '$out'],
  'test/query/text/search.test.ts': ['$text', '$meta'],
  'test/query/timeseries/pipelines.test.ts': ['$_internalUnpackBucket'],
};

/** MongoDB's own, which no client says; and those that are refused, or belong to the server's tests of commands. */
const NO_CASES: ReadonlySet<string> = new Set([
  '$_internalExprEq',
  '$_internalExprGt',
  '$_internalExprGte',
  '$_internalExprLt',
  '$_internalExprLte',
  '$_internalJsReduce',
  '$changeStream',
  '$collStats',
  '$currentOp',
  '$db',
  '$id',
  '$indexStats',
  '$listCatalog',
  '$listLocalSessions',
  '$listSampledQueries',
  '$listSessions',
  '$planCacheStats',
  '$querySettings',
  '$queryStats',
  '$ref',
  '$shardedDataDistribution',
  '$uniqueDocs',
]);

const inOtherTests = new Set(
  Object.entries(ELSEWHERE).flatMap(([file, names]) => {
    const text = readProjectFile(file);
    return names.filter((name) => text.includes(name));
  }),
);

describe('the cases of operators', () => {
  for (const { title, names, cases } of FAMILIES) {
    it(`cover all ${title}`, () => {
      const covered = new Set(cases.flatMap((each) => [...operatorsIn(each)]));
      const without = [...names].filter(
        (name) => !covered.has(name) && !inOtherTests.has(name) && !NO_CASES.has(name),
      );
      assert.deepEqual(without, []);
    });
  }

  it('are counted', () => {
    const cases = new Set(FAMILIES.flatMap((family) => family.cases));
    const operators = FAMILIES.flatMap(({ names }) => [...names]);
    console.log(`      operator cases: ${cases.size} in ${operators.length} operators`);
    assert.ok(cases.size > 1000);
  });
});

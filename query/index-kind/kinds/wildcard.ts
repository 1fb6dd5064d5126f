/**
 * Wildcard indexes: `$**`, `a.$**`, with a projection, and compound ones. Source: MongoDB's manual, "Wildcard Indexes".
 */
import { fieldCount, fieldsOf, inspect } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { systemClock } from '../../../common/clock.ts';
import { CommandError } from '../../../common/errors.ts';
import { systemRandom } from '../../../common/random.ts';
import { simpleContext } from '../../context.ts';
import { compileProjection } from '../../projection/compile.ts';
import type { IndexKind, IndexRequest } from '../index-kind.ts';
import { topLevelFields } from '../top-level-fields.ts';
import { flatten } from '../wildcard/covered-paths.ts';
import { WildcardKeys } from '../wildcard/wildcard-keys.ts';
import { wildcardScans } from '../wildcard/wildcard-scans.ts';

/** Some ten thousand values. */
const MANY_VALUES_BYTES = 256 * 1024;

export const wildcard: IndexKind = {
  name: 'wildcard',
  complete(request) {
    checkOptions(request);
    checkProjection(request);
    checkCompound(request);
    return request;
  },
  keyGenerator: (index, collator) => new WildcardKeys(index, collator),
  takesLong: (_, document) => document.length >= MANY_VALUES_BYTES,
  fieldsOfKeys: ({ fields }) => {
    const names = topLevelFields(fields.map(({ path }) => path));
    return names.has('$**') ? undefined : names;
  },
  scanShapes: wildcardScans,
};

function checkOptions({ options }: IndexRequest): void {
  for (const option of ['sparse', 'unique', 'prepareUnique']) {
    uassert(
      !options.has(option),
      'CannotCreateIndex',
      `Index type 'wildcard' does not support the ${option} option`,
    );
  }
  uassert(
    !options.has('expireAfterSeconds'),
    'CannotCreateIndex',
    "Index type 'wildcard' cannot be a TTL index",
  );
}

function checkProjection({ options }: IndexRequest): void {
  const projection = options.get('wildcardProjection')?.asDocument();
  if (projection === undefined) return;
  for (const { path, value } of flatten(projection, '')) {
    if (value.isNumber || value.typeName === 'bool') continue;
    throw new CommandError(
      51271,
      `Failed to parse projection: wildcardProjection :: caused by :: Bad projection specification, cannot use computed fields when parsing a spec in kBanComputedFields mode: { ${path}: ${inspect(value)} }`,
    );
  }
  try {
    compileProjection(projection, { context: simpleContext(systemClock, systemRandom) });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(
      error.code,
      `Failed to parse projection: wildcardProjection :: caused by :: ${error.message}`,
    );
  }
}

function checkCompound({ keyPattern, options }: IndexRequest): void {
  const names = Array.from(fieldsOf(keyPattern), ([name]) => name);
  const wildcards = names.filter((name) => name.endsWith('$**'));
  uassert(
    wildcards.length === 1,
    7246201,
    `A compound index may have only one wildcard field, but found ${wildcards.length} in ${inspect(keyPattern)}`,
  );
  if (fieldCount(keyPattern) === 1) return;
  const [only] = wildcards;
  const regular = names.filter((name) => name !== only);
  const projection = options.get('wildcardProjection')?.asDocument();
  if (only !== '$**') {
    const root = only.slice(0, -'.$**'.length);
    for (const name of regular) {
      uassert(!overlap(name, root), 7246204, overlapText(name, only));
    }
    return;
  }
  uassert(
    projection !== undefined,
    'CannotCreateIndex',
    "Compound wildcard indexes on all fields must also specify 'wildcardProjection' option",
  );
  checkProjectionOfCompound(regular, projection);
}

/** A path is covered by the wildcard or by a field of its own, never by both. */
function checkProjectionOfCompound(regular: readonly string[], projection: Buffer): void {
  const all = flatten(projection, '');
  const named = all.filter(({ path }) => path !== '_id');
  const id = all.find(({ path }) => path === '_id');
  const includes = (named[0] ?? id)?.value.isTruthy() === true;
  for (const name of regular) {
    const isCovered = includes
      ? all.some(({ path, value }) => value.isTruthy() && overlap(path, name))
      : isCoveredByExclusion(name, all);
    uassert(!isCovered, 7246205, overlapText(name, '$**'));
  }
}

function isCoveredByExclusion(name: string, excluded: ReturnType<typeof flatten>): boolean {
  if (name === '_id') return excluded.some(({ path, value }) => path === '_id' && value.isTruthy());
  return !excluded.some(
    ({ path, value }) => !value.isTruthy() && (path === name || name.startsWith(`${path}.`)),
  );
}

function overlap(left: string, right: string): boolean {
  return left === right || left.startsWith(`${right}.`) || right.startsWith(`${left}.`);
}

function overlapText(name: string, wildcardName: string): string {
  return `The field '${name}' of a compound wildcard index is also covered by its wildcard field '${wildcardName}'`;
}

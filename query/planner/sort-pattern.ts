/**
 * Sort patterns: checked, and turned into fields for the planner and an order for the executor.
 */
import {
  BsonType,
  type Collator,
  compareValues,
  compileSort,
  DocumentBuilder,
  fieldsOf,
  inspect,
  isEmpty,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { checkPathLength } from '../path-length.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import { metadataValueOf } from '../document-metadata.ts';
import type { SortKey, SortOrder } from '../executor/sorter.ts';
import type { MetadataName } from '../projection/projection.ts';
import type { SortField } from './index-candidate.ts';

export interface SortPattern {
  readonly pattern: Buffer;
  readonly fields: readonly SortField[];
  /** {$natural: ±1}: the order of the records. */
  readonly natural: 1 | -1 | undefined;
  /** What it sorts by besides the document's own fields: {score: {$meta: 'textScore'}}. By the position of the field. */
  readonly metadata: ReadonlyMap<number, MetadataName>;
}

/** @returns undefined for an absent or empty pattern. */
export function parseSort(pattern: Buffer | undefined): SortPattern | undefined {
  if (pattern === undefined || isEmpty(pattern)) return undefined;
  const fields: SortField[] = [];
  const metadata = new Map<number, MetadataName>();
  let natural: 1 | -1 | undefined;
  for (const [path, value] of fieldsOf(pattern)) {
    checkPath(path);
    if (value.type === BsonType.object) {
      const name = metadataName(value);
      metadata.set(fields.length, name);
      fields.push({ path: NO_PATH, direction: METADATA_ORDER[name] ?? -1 });
      continue;
    }
    const direction = directionOf(path, value);
    if (path === '$natural') natural = direction;
    else fields.push({ path, direction });
  }
  uassert(
    natural === undefined || fields.length === 0,
    'BadValue',
    'Cannot include $natural in compound sort',
  );
  uassert(fields.length <= 32, 13103, 'too many compound keys');
  return { pattern, fields, natural, metadata };
}

/** In the place of a path that no index has: an order by metadata never comes out of one. */
const NO_PATH = '$meta';

/** What can be sorted by, and in which direction: the best first. */
const METADATA_ORDER: Readonly<Partial<Record<MetadataName, 1 | -1>>> = {
  textScore: -1,
  searchScore: -1,
  randVal: -1,
  geoNearDistance: 1,
};

function metadataName(value: RawValue): MetadataName {
  const [first, second] = [...fieldsOf(value.asDocument())];
  uassert(
    first !== undefined && first[0] === '$meta' && second === undefined,
    17312,
    '$meta is the only expression supported by $sort right now',
  );
  const text = first[1].type === BsonType.string ? first[1].asString() : '';
  const name = Object.keys(METADATA_ORDER).find((known) => known === text);
  if (name !== undefined && isMetadataName(name)) return name;
  throw new CommandError(31138, `Illegal $meta sort: ${inspect(first[1])}`);
}

function isMetadataName(name: string): name is MetadataName {
  return name in METADATA_ORDER;
}

export function sortOrderOf(sort: SortPattern, context: QueryContext): SortOrder {
  if (sort.metadata.size === 0) return compileSort(sort.pattern, context.collator);
  return new MetadataOrder(sort, context.collator);
}

/** Sorts by what travels with documents, and by their own fields. */
class MetadataOrder implements SortOrder {
  private readonly sort: SortPattern;
  private readonly collator: Collator | undefined;
  /** Of the fields that are the document's own. */
  private readonly own: SortOrder;

  constructor(sort: SortPattern, collator: Collator | undefined) {
    this.sort = sort;
    this.collator = collator;
    const pattern = new DocumentBuilder();
    for (const [path, value] of fieldsOf(sort.pattern)) {
      if (value.type !== BsonType.object) pattern.append(path, value);
    }
    const document = pattern.finish();
    this.own = isEmpty(document)
      ? { keyOf: () => [], compare: () => 0 }
      : compileSort(document, collator);
  }

  keyOf(document: Buffer): SortKey {
    const own = this.own.keyOf(document)[Symbol.iterator]();
    return this.sort.fields.map((_, position) => {
      const name = this.sort.metadata.get(position);
      if (name !== undefined) return metadataValueOf(document, name);
      const next = own.next();
      return next.done === true ? undefined : next.value;
    });
  }

  compare(a: SortKey, b: SortKey): number {
    for (const [position, { direction }] of this.sort.fields.entries()) {
      const order = compareValues(a[position], b[position], this.collator);
      if (order !== 0) return order * direction;
    }
    return 0;
  }
}

function checkPath(path: string): void {
  uassert(path.length > 0, 'BadValue', 'FieldPath cannot be constructed with empty string');
  if (path === '$natural') return;
  checkPathLength(path);
  for (const part of path.split('.')) {
    uassert(part.length > 0, 15998, 'FieldPath field names may not be empty strings.');
    uassert(
      !part.startsWith('$'),
      16410,
      "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
    );
  }
}

function directionOf(path: string, value: RawValue): 1 | -1 {
  if (!value.isNumber) {
    throw new CommandError(15974, `Illegal key in $sort specification: ${path}`);
  }
  const number = Math.trunc(value.asNumber());
  uassert(
    number === 1 || number === -1,
    15975,
    '$sort key ordering must be 1 (for ascending) or -1 (for descending)',
  );
  return number;
}

/**
 * The order in which sorted documents of several shards are merged, and how the documents show what they are sorted by.
 *
 * A document that comes whole says it itself. Where a projection may have taken its fields away, or the order is by metadata, the shard
 * adds the sort key as one field more, which the router takes away again.
 */
import {
  BsonType,
  compareValues,
  compileSort,
  DocumentBuilder,
  documentOf,
  documentValue,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  NULL,
  type Collator,
  type RawValue,
  stringValue,
  unsetField,
} from '../../bson/index.ts';
import { tassert } from '../../common/assert.ts';
import type { MergeOrder } from './merged-cursor.ts';

/** Its place in documents between shard and router. No field of a user's document that is stored can have this name. */
export const SORT_KEY_FIELD = '$sortKey';

export interface SortedMerge {
  readonly order: MergeOrder;
  /** The projection that shards apply; undefined: none. */
  readonly projection: Buffer | undefined;
  /** Makes of a shard's document what the client gets. */
  readonly finish: ((document: Buffer) => Buffer) | undefined;
}

/** @param sort a pattern of at least one field, not $natural */
export function sortedMerge(
  sort: Buffer,
  projection: Buffer | undefined,
  collator: Collator | undefined,
): SortedMerge {
  const isPlain = Array.from(fieldsOf(sort)).every(([, value]) => value.isNumber);
  if (isPlain && projection === undefined) {
    const pattern = compileSort(sort, collator);
    return {
      order: {
        keyOf: (document) => pattern.keyOf(document),
        compare: (a, b) => pattern.compare(a, b),
      },
      projection,
      finish: undefined,
    };
  }
  return {
    order: byShownKey(sort, collator),
    projection: withSortKey(projection ?? EMPTY_DOCUMENT),
    finish: (document) => unsetField(document, SORT_KEY_FIELD),
  };
}

/** No field of a user's has this name. */
const DISTANCE_FIELD = '__distance_of_near';

/** The order of a $near in the filter: the nearest first. undefined: it has none. @param projection undefined: none */
export function nearMerge(filter: Buffer, projection: Buffer | undefined): SortedMerge | undefined {
  if (!asksForNear(filter)) return undefined;
  const shown = documentValue(documentOf({ $meta: stringValue('geoNearDistance') }));
  return {
    order: {
      keyOf: (document) => {
        const distance = getField(document, DISTANCE_FIELD);
        tassert(distance !== undefined, 'a shard left the distance out');
        return [distance];
      },
      compare: ([a = NULL], [b = NULL]) => compareValues(a, b),
    },
    projection: new DocumentBuilder()
      .appendElementsOf(projection ?? EMPTY_DOCUMENT)
      .append(DISTANCE_FIELD, shown)
      .finish(),
    finish: (document) => unsetField(document, DISTANCE_FIELD),
  };
}

const NEAR: ReadonlySet<string> = new Set(['$near', '$nearSphere', '$geoNear']);

/** It stands at the top or within $and: elsewhere shards refuse it. */
function asksForNear(filter: Buffer): boolean {
  for (const [name, value] of fieldsOf(filter)) {
    if (name === '$and' && value.type === BsonType.array) {
      for (const [, branch] of fieldsOf(value.asDocument())) {
        if (branch.type === BsonType.object && asksForNear(branch.asDocument())) return true;
      }
    } else if (value.type === BsonType.object) {
      for (const [operator] of fieldsOf(value.asDocument())) if (NEAR.has(operator)) return true;
    }
  }
  return false;
}

/** By the field that the shards have added. */
export function byShownKey(sort: Buffer, collator: Collator | undefined): MergeOrder {
  const directions = directionsOf(sort);
  return {
    keyOf: (document) => {
      const key = getField(document, SORT_KEY_FIELD);
      tassert(key?.type === BsonType.array, 'a shard left the sort key out');
      return Array.from(fieldsOf(key.asDocument()), ([, value]) => value);
    },
    compare: (a, b) => {
      for (let part = 0; part < directions.length; part += 1) {
        const order = compareValues(a[part] ?? NULL, b[part] ?? NULL, collator);
        if (order !== 0) return order * (directions[part] ?? 1);
      }
      return 0;
    },
  };
}

/** By metadata (textScore) the highest comes first. */
function directionsOf(sort: Buffer): number[] {
  return Array.from(fieldsOf(sort), ([, value]: [string, RawValue]) =>
    value.isNumber && value.asNumber() > 0 ? 1 : -1,
  );
}

function withSortKey(projection: Buffer): Buffer {
  return new DocumentBuilder(projection.length + 64)
    .appendElementsOf(projection)
    .append(SORT_KEY_FIELD, documentValue(documentOf({ $meta: stringValue('sortKey') })))
    .finish();
}

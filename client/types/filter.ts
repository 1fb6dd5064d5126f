/**
 * Filters: `{ age: { $gte: 18 }, 'address.city': 'Oslo' }`.
 */
import type { BSONRegExp, Binary, Document } from 'bson';
import type { ByPath, Flatten, PathOf, ValueAt, WithId } from './schema.ts';

/** Names of BSON types as $type takes them. */
export const BSONType = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  javascript: 13,
  symbol: 14,
  javascriptWithScope: 15,
  int: 16,
  timestamp: 17,
  long: 18,
  decimal: 19,
  minKey: -1,
  maxKey: 127,
} as const;
export type BSONType = (typeof BSONType)[keyof typeof BSONType];
export type BSONTypeAlias = keyof typeof BSONType;

export type BitwiseFilter = number | Binary | readonly number[];

/** Operators on one field. */
export interface FilterOperators<Value> {
  $eq?: Value;
  $gt?: Value;
  $gte?: Value;
  $in?: readonly Value[];
  $lt?: Value;
  $lte?: Value;
  $ne?: Value;
  $nin?: readonly Value[];
  $not?: FilterOperators<Value> | RegExp;
  $exists?: boolean;
  $type?: BSONType | BSONTypeAlias | 'number' | readonly (BSONType | BSONTypeAlias | 'number')[];
  $expr?: Document;
  $jsonSchema?: Document;
  $mod?: Value extends number ? readonly [number, number] : never;
  $regex?: RegExp | BSONRegExp | string;
  $options?: string;
  $geoIntersects?: { $geometry: Document };
  $geoWithin?: Document;
  $near?: Document;
  $nearSphere?: Document;
  $maxDistance?: number;
  $minDistance?: number;
  $all?: readonly unknown[];
  $elemMatch?: Document;
  $size?: Value extends readonly unknown[] ? number : never;
  $bitsAllClear?: BitwiseFilter;
  $bitsAllSet?: BitwiseFilter;
  $bitsAnyClear?: BitwiseFilter;
  $bitsAnySet?: BitwiseFilter;
}

/** A value that a field may be compared with: its own type, an array's element, a pattern for text. */
export type AlternativeType<T> = T extends readonly (infer Item)[]
  ? T | RegExpOrString<Item>
  : RegExpOrString<T>;
export type RegExpOrString<T> = T extends string ? BSONRegExp | RegExp | T : T;
export type Condition<T> =
  AlternativeType<T> | FilterOperators<AlternativeType<T>> | NullWhenOptional<T>;
/** A field that may be absent is found with null. */
type NullWhenOptional<T> = undefined extends T ? null : never;

/** Operators on whole documents. */
export interface RootFilterOperators<Schema> {
  $and?: readonly Filter<Schema>[];
  $nor?: readonly Filter<Schema>[];
  $or?: readonly Filter<Schema>[];
  $expr?: unknown;
  $jsonSchema?: Document;
  $text?: {
    $search: string;
    $language?: string;
    $caseSensitive?: boolean;
    $diacriticSensitive?: boolean;
  };
  $where?: string | ((this: Schema) => boolean);
  $comment?: string | Document;
  $sampleRate?: number;
}

type FilterByPath<T> = { [Path in PathOf<T>]?: Condition<ValueAt<T, Path>> };

export type Filter<Schema> = ByPath<
  Schema,
  RootFilterOperators<Schema> & Document,
  FilterByPath<WithId<Schema>> & RootFilterOperators<Schema>
>;

/** What distinct gives for a field. */
export type DistinctValue<Schema, Path extends string> = Flatten<ValueAt<WithId<Schema>, Path>>;

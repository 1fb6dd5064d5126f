/**
 * Updates: `{ $set: { name: 'Ada' }, $inc: { visits: 1 } }`.
 */
import type { Decimal128, Document, Double, Int32, Long, Timestamp } from 'bson';
import type { Filter } from './filter.ts';
import type { ByPath, Flatten, PathTo, UpdatePathOf, ValueAt, WithId } from './schema.ts';
import type { Sort } from './sort.ts';

export type NumericType = number | bigint | Int32 | Double | Decimal128 | Long;
export type IntegerType = number | bigint | Int32 | Long;

export interface ArrayOperator<Item> {
  $each?: readonly Item[];
  $slice?: number;
  $position?: number;
  $sort?: Sort;
}

type Values<T> = { readonly [Path in UpdatePathOf<T>]?: ValueAt<T, Path> };
type Numbers<T> = { readonly [Path in PathTo<T, NumericType>]?: NumericType };
type ArrayPath<T> = PathTo<T, readonly unknown[]>;
type Item<T, Path extends string> = Flatten<NonNullable<ValueAt<T, Path>>>;

/** Per operator, what it takes of a schema whose names are known. */
interface Operators<T> {
  $currentDate?: {
    readonly [Path in PathTo<T, Date | Timestamp>]?: true | { $type: 'date' | 'timestamp' };
  };
  $inc?: Numbers<T>;
  $min?: Values<T>;
  $max?: Values<T>;
  $mul?: Numbers<T>;
  $rename?: Record<string, string>;
  $set?: Values<T>;
  $setOnInsert?: Values<T>;
  $unset?: { readonly [Path in UpdatePathOf<T>]?: '' | true | 1 };
  $addToSet?: {
    readonly [Path in ArrayPath<T>]?: Item<T, Path> | { $each: readonly Item<T, Path>[] };
  };
  $pop?: { readonly [Path in ArrayPath<T>]?: 1 | -1 };
  $pull?: {
    readonly [Path in ArrayPath<T>]?: Partial<Item<T, Path>> | Filter<Item<T, Path>> | Document;
  };
  $push?: { readonly [Path in ArrayPath<T>]?: Item<T, Path> | ArrayOperator<Item<T, Path>> };
  $pullAll?: { readonly [Path in ArrayPath<T>]?: readonly Item<T, Path>[] };
  $bit?: {
    readonly [Path in PathTo<T, IntegerType>]?:
      { and: IntegerType } | { or: IntegerType } | { xor: IntegerType };
  };
}

export type UpdateFilter<Schema> = ByPath<Schema, Document, Operators<WithId<Schema>>>;

/**
 * Types that follow a collection's schema: ids, paths into documents, and what stands at them.
 *
 * A schema with an index signature (Document, the default) allows everything; any other one is checked: a filter or an update
 * that names a field which is not there does not compile.
 */
import type {
  Binary,
  BSONRegExp,
  Code,
  DBRef,
  Decimal128,
  Document,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';

/** Values without fields of their own. */
export type Leaf =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Date
  | RegExp
  | Uint8Array
  | Binary
  | BSONRegExp
  | Code
  | DBRef
  | Decimal128
  | Double
  | Int32
  | Long
  | MaxKey
  | MinKey
  | ObjectId
  | Timestamp
  | ((...args: never[]) => unknown);

/** Whether all names are allowed. */
type IsOpen<T> = string extends keyof T ? true : false;

/** The type of a document's `_id`: what the schema says, else ObjectId. */
export type InferIdType<T> = T extends { _id: infer Id }
  ? Record<string, never> extends Id
    ? never
    : Id
  : T extends { _id?: infer Id }
    ? unknown extends Id
      ? ObjectId
      : Id
    : ObjectId;

/** Omit that keeps index signatures and unions. */
export type EnhancedOmit<T, Keys> = T extends unknown
  ? IsOpen<T> extends true
    ? T
    : Pick<T, Exclude<keyof T, Keys>>
  : never;

/** A document as it comes back. */
export type WithId<T> = EnhancedOmit<T, '_id'> & { _id: InferIdType<T> };
export type WithoutId<T> = Omit<T, '_id'>;
/** A document as it may be inserted: the id can be left to the client. */
export type OptionalId<T> = EnhancedOmit<T, '_id'> & { _id?: InferIdType<T> };
export type OptionalUnlessRequiredId<T> = T extends { _id: unknown } ? T : OptionalId<T>;

/** An array's element, anything else itself. */
export type Flatten<T> = T extends readonly (infer Item)[] ? Item : T;

/** Paths are followed so deep; what lies deeper is not checked. */
type TooDeep<Depth extends readonly unknown[]> = Depth['length'] extends 6 ? true : false;

/** Names of fields and dotted paths, positions in arrays included. */
export type PathOf<T, Depth extends readonly unknown[] = []> =
  TooDeep<Depth> extends true
    ? never
    : T extends Leaf
      ? never
      : T extends readonly (infer Item)[]
        ? `${number}` | PathOf<Item, [...Depth, 0]> | `${number}.${PathOf<Item, [...Depth, 0]>}`
        : T extends object
          ? {
              [Key in keyof T & string]:
                Key | `${Key}.${PathOf<NonNullable<T[Key]>, [...Depth, 0]>}`;
            }[keyof T & string]
          : never;

/** Positions that only updates know: `$`, `$[]`, `$[name]`. */
type UpdatePosition = `${number}` | '$' | `$[${string}]`;

/** As PathOf, for updates: positions must be named there. */
export type UpdatePathOf<T, Depth extends readonly unknown[] = []> =
  TooDeep<Depth> extends true
    ? never
    : T extends Leaf
      ? never
      : T extends readonly (infer Item)[]
        ? UpdatePosition | `${UpdatePosition}.${UpdatePathOf<Item, [...Depth, 0]>}`
        : T extends object
          ? {
              [Key in keyof T & string]:
                Key | `${Key}.${UpdatePathOf<NonNullable<T[Key]>, [...Depth, 0]>}`;
            }[keyof T & string]
          : never;

/** What stands at a path; `unknown` where that cannot be said. */
export type ValueAt<T, Path extends string> = T extends readonly (infer Item)[]
  ? Path extends `${UpdatePosition}.${infer Rest}`
    ? ValueAt<Item, Rest>
    : Path extends UpdatePosition
      ? Item
      : ValueAt<Item, Path>
  : Path extends keyof T
    ? T[Path]
    : Path extends `${infer Key}.${infer Rest}`
      ? Key extends keyof T
        ? ValueAt<NonNullable<T[Key]>, Rest>
        : unknown
      : unknown;

/** Paths at which a value of a kind stands. */
export type PathTo<T, Kind> = {
  [Path in UpdatePathOf<T>]: NonNullable<ValueAt<T, Path>> extends Kind ? Path : never;
}[UpdatePathOf<T>];

/** The whole document when its names are open, else by paths. */
export type ByPath<T, Open, Closed> = IsOpen<T> extends true ? Open : Closed;

export type { Document };

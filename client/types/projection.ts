/**
 * Projections, and what is left of a document after one.
 */
import type { Document } from 'bson';
import type { PathOf, WithId } from './schema.ts';

/** In, out, or computed. */
export type ProjectionValue = 0 | 1 | boolean | `$${string}` | Document;

export type Projection<Schema> = string extends keyof Schema
  ? never
  : { readonly [Path in PathOf<WithId<Schema>>]?: ProjectionValue };

type NamesWith<P, Value> = {
  [Name in keyof P]: P[Name] extends Value ? Name : never;
}[keyof P];
type Included<P> = NamesWith<P, 1 | true>;
type Excluded<P> = NamesWith<P, 0 | false>;
type IsPlain<Schema, P> = keyof P extends keyof WithId<Schema>
  ? P[keyof P] extends 0 | 1 | boolean
    ? true
    : false
  : false;

/**
 * The documents that a projection leaves. Fields of the first level are followed; with dotted paths or computed fields it is
 * the whole document's type in part, which the caller may say more exactly.
 */
export type Projected<Schema, P> =
  IsPlain<Schema, P> extends true
    ? Exclude<Included<P>, '_id'> extends never
      ? Included<P> extends never
        ? Omit<WithId<Schema>, Excluded<P> & string>
        : Pick<WithId<Schema>, '_id' & keyof WithId<Schema>>
      : Pick<WithId<Schema>, Exclude<(Included<P> | '_id') & keyof WithId<Schema>, Excluded<P>>>
    : Partial<WithId<Schema>> & Document;

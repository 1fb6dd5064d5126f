/**
 * The table of index kinds.
 */
import { BsonType, fieldsOf } from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';
import type { IndexKind } from './index-kind.ts';
import { plane } from './kinds/2d.ts';
import { sphere } from './kinds/2dsphere.ts';
import { hashed } from './kinds/hashed.ts';
import { ordered } from './kinds/ordered.ts';
import { text } from './kinds/text.ts';
import { wildcard } from './kinds/wildcard.ts';

const INDEX_KINDS: ReadonlyMap<string, IndexKind> = new Map(
  [hashed, ordered, plane, sphere, text, wildcard].map((kind) => [kind.name, kind]),
);

/** @returns undefined for a name that is not in the table. */
export function indexKindNamed(name: string): IndexKind | undefined {
  return INDEX_KINDS.get(name);
}

/** The kind that a key pattern asks for: its first text, 'wildcard' for a path to $**, else 'ordered'. */
export function kindNameOf(keyPattern: Buffer): string {
  for (const [path, value] of fieldsOf(keyPattern)) {
    if (value.type === BsonType.string) return value.asString();
    if (path === '$**' || path.endsWith('.$**')) return 'wildcard';
  }
  return ordered.name;
}

const KINDS = new WeakMap<Buffer, IndexKind>();

/** The kind of an index that is there. */
export function kindOf({ spec, fields }: IndexDescription): IndexKind {
  let kind = KINDS.get(spec);
  if (kind === undefined) {
    const special = fields.find((field) => field.kind !== ordered.name);
    kind = INDEX_KINDS.get(special?.kind ?? ordered.name) ?? ordered;
    KINDS.set(spec, kind);
  }
  return kind;
}

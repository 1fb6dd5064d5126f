/**
 * Reads an index specification as listIndexes shows it into an IndexDescription.
 */
import {
  documentOf,
  fieldsOf,
  getField,
  isMultikey,
  type MultikeyPaths,
  noMultikeyPaths,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import type { Ident, IndexDescription, IndexFieldDescription } from '../contract.ts';

/** `{v: 2, key: {_id: 1}, name: '_id_'}` */
export const ID_INDEX_SPEC: Buffer = documentOf({
  v: 2,
  key: documentOf({ _id: 1 }),
  name: '_id_',
});

export interface IndexState {
  readonly ident: Ident;
  readonly ready: boolean;
  /** Absent: no array yet. */
  readonly multikeyPaths?: MultikeyPaths;
}

/** @throws CommandError when the specification has no key pattern or no name; the server checks all else. */
export function describeIndex(spec: Buffer, state: IndexState): IndexDescription {
  const pattern = getField(spec, 'key');
  const name = getField(spec, 'name');
  uassert(pattern?.typeName === 'object', 'CannotCreateIndex', 'Index specification has no key');
  uassert(name?.typeName === 'string', 'CannotCreateIndex', 'Index specification has no name');
  const fields = Array.from(fieldsOf(pattern.asDocument()), ([path, value]) =>
    describeField(path, value),
  );
  const onId = fields.length === 1 && fields[0].path === '_id';
  const multikeyPaths = state.multikeyPaths ?? noMultikeyPaths(fields);
  return {
    ident: state.ident,
    name: name.asString(),
    spec,
    fields,
    unique: onId || isTrue(spec, 'unique'),
    sparse: isTrue(spec, 'sparse'),
    multikey: isMultikey(multikeyPaths),
    multikeyPaths,
    ready: state.ready,
  };
}

function describeField(path: string, value: RawValue): IndexFieldDescription {
  const direction = value.isNumber && value.asNumber() < 0 ? -1 : 1;
  const isWildcard = path === '$**' || path.endsWith('.$**');
  const kind = value.typeName === 'string' ? value.asString() : isWildcard ? 'wildcard' : 'ordered';
  return { path, direction, kind };
}

function isTrue(spec: Buffer, field: string): boolean {
  return getField(spec, field)?.isTruthy() ?? false;
}

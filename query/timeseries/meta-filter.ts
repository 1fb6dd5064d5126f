/**
 * Conditions on the metaField alone, which hold for all measurements of a bucket or for none: found, and put in terms of
 * the bucket's `meta`.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  firstFieldName,
  getField,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import type { QueryContext } from '../context.ts';
import { compileExpression } from '../expression/compile.ts';
import { parseFilter } from '../matcher/parse.ts';
import type { FilterNode } from '../matcher/tree.ts';
import { conjunctsOf, membersOf } from './conjuncts.ts';

/** The name of the meta value inside a bucket. */
const META = 'meta';

/** Whether `path` is the metaField or leads into it. */
export function isMetaPath(path: string, metaField: string): boolean {
  return path === metaField || path.startsWith(`${metaField}.`);
}

/** "m.a" -> "meta.a" */
export function toBucketMeta(path: string, metaField: string): string {
  return META + path.slice(metaField.length);
}

/**
 * @param condition a filter of one field.
 * @returns the same about buckets; undefined when it asks for anything but the metaField.
 */
export function metaCondition(
  condition: Buffer,
  metaField: string,
  context: QueryContext,
): Buffer | undefined {
  const name = firstFieldName(condition);
  if (name === undefined) return undefined;
  if (name === '$expr') return metaExpression(condition, metaField, context);
  if (name === '$alwaysTrue' || name === '$alwaysFalse') return condition;
  return asksOnlyFor(parseFilter(condition, context), metaField)
    ? renamed(condition, metaField)
    : undefined;
}

/** Operators in the place of a path that name no field themselves. */
const WITHOUT_FIELDS: ReadonlySet<string> = new Set(['$alwaysFalse', '$alwaysTrue', '$comment']);

function asksOnlyFor(node: FilterNode, metaField: string): boolean {
  switch (node.kind) {
    case 'leaf':
    case 'elemMatch':
      return isMetaPath(node.path, metaField);
    case 'and':
    case 'or':
    case 'nor':
      return node.children.every((child) => asksOnlyFor(child, metaField));
    case 'not':
      return asksOnlyFor(node.child, metaField);
    case 'document':
      return false;
    case 'constant':
      return true;
  }
}

/** A filter whose paths all lead into the metaField, about `meta`. @returns undefined when it names fields in another way. */
function renamed(filter: Buffer, metaField: string): Buffer | undefined {
  const builder = new DocumentBuilder(filter.length + 16);
  for (const [name, value] of fieldsOf(filter)) {
    if (name === '$and' || name === '$or' || name === '$nor') {
      const list = new ArrayBuilder();
      for (const member of membersOf(value.bytes, value.start)) {
        const moved = renamed(member, metaField);
        if (moved === undefined) return undefined;
        list.pushDocument(moved);
      }
      builder.appendArray(name, list.finish());
    } else if (name.startsWith('$')) {
      if (!WITHOUT_FIELDS.has(name)) return undefined;
      builder.append(name, value);
    } else builder.append(toBucketMeta(name, metaField), value);
  }
  return builder.finish();
}

/** {$expr: ...} over meta paths, as a $lookup with `let` makes it. */
function metaExpression(
  condition: Buffer,
  metaField: string,
  context: QueryContext,
): Buffer | undefined {
  const expression = getField(condition, '$expr');
  if (expression === undefined) return undefined;
  const { paths } = compileExpression(expression, context);
  if (paths === undefined || paths.size === 0) return undefined;
  for (const path of paths) if (!isMetaPath(path, metaField)) return undefined;
  const moved = movedExpression(expression, metaField);
  if (moved === undefined) return undefined;
  return new DocumentBuilder().append('$expr', moved).finish();
}

/** @returns undefined when a path may be written in a way that is not looked through. */
function movedExpression(value: RawValue, metaField: string): RawValue | undefined {
  if (value.type === BsonType.string) return movedText(value, metaField);
  if (value.type !== BsonType.object && value.type !== BsonType.array) return value;
  const builder = new DocumentBuilder(value.end - value.start + 16);
  for (const [name, member] of fieldsOf(value.asDocument())) {
    if (name === '$literal' || name === '$const') return undefined;
    const moved = movedExpression(member, metaField);
    if (moved === undefined) return undefined;
    builder.append(name, moved);
  }
  const moved = builder.finish();
  return value.type === BsonType.array ? arrayValue(moved) : documentValue(moved);
}

function movedText(value: RawValue, metaField: string): RawValue | undefined {
  const text = value.asString();
  if (text.startsWith('$$ROOT') || text.startsWith('$$CURRENT')) return undefined;
  if (!text.startsWith('$') || text.startsWith('$$')) return value;
  const path = text.slice(1);
  return isMetaPath(path, metaField) ? stringValue(`$${toBucketMeta(path, metaField)}`) : undefined;
}

/** A filter about the metaField in terms of buckets. @returns undefined when some of it asks for other fields. */
export function metaFilter(
  filter: Buffer,
  metaField: string,
  context: QueryContext,
): Buffer | undefined {
  return conjunctsOf(filter).every((each) => metaCondition(each, metaField, context) !== undefined)
    ? renamed(filter, metaField)
    : undefined;
}

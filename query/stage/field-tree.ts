/**
 * Computed fields by path: what $addFields writes, and how it is laid over a document.
 *
 * Promises: fields of the document keep their order, new ones follow in the order of the specification; a path goes
 * through arrays into each element; what is not touched is copied byte for byte.
 */
import {
  BsonType,
  DocumentBuilder,
  FieldCursor,
  fieldsOf,
  isEmpty,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { QueryContext } from '../context.ts';
import { compileExpression } from '../expression/compile.ts';
import type { Expression } from '../expression/expression.ts';
import { splitFieldPath } from '../expression/field-path.ts';
import { Scope } from '../expression/scope.ts';

/** A computed field, or fields below a path. */
export type FieldNode =
  | { readonly kind: 'value'; readonly expression: Expression }
  | { readonly kind: 'fields'; readonly fields: Map<string, FieldNode> };

/** @throws CommandError 40176 and 40177 for colliding paths, FieldPath codes for bad ones. */
export function compileFieldTree(
  specification: Buffer,
  context: QueryContext,
): Map<string, FieldNode> {
  const root = new Map<string, FieldNode>();
  for (const [path, value] of fieldsOf(specification)) {
    addPath(root, path, path, value, context);
  }
  return root;
}

function addPath(
  fields: Map<string, FieldNode>,
  whole: string,
  path: string,
  value: RawValue,
  context: QueryContext,
): void {
  const parts = splitFieldPath(path);
  let level = fields;
  for (const part of parts.slice(0, -1)) level = levelBelow(level, part, whole);
  const last = parts.at(-1)!;
  if (isNestedSpecification(value)) {
    const below = levelBelow(level, last, whole);
    for (const [name, nested] of fieldsOf(value.asDocument())) {
      if (name.includes('.')) {
        throw new CommandError(40183, `FieldPath field names may not contain '.': ${name}`);
      }
      addPath(below, `${whole}.${name}`, name, nested, context);
    }
    return;
  }
  if (level.has(last)) throw collision(whole);
  level.set(last, { kind: 'value', expression: compileExpression(value, context) });
}

function levelBelow(
  level: Map<string, FieldNode>,
  part: string,
  whole: string,
): Map<string, FieldNode> {
  const present = level.get(part);
  if (present === undefined) {
    const fields = new Map<string, FieldNode>();
    level.set(part, { kind: 'fields', fields });
    return fields;
  }
  if (present.kind === 'fields') return present.fields;
  throw collision(whole);
}

function collision(path: string): CommandError {
  return new CommandError(
    40176,
    `Invalid $addFields :: caused by :: specification contains two conflicting paths. Cannot specify both '${path}' and a path above or below it`,
  );
}

/** {a: {b: 1}} means the path a.b; {a: {$add: ...}} and {a: {}} are values. */
function isNestedSpecification(value: RawValue): boolean {
  if (value.type !== BsonType.object || isEmpty(value.asDocument())) return false;
  const first = new FieldCursor(value.asDocument());
  return first.next() && !first.name.startsWith('$');
}

/** A map that lays the computed fields over documents. Keeps scratch state: one at a time. */
export function fieldTreeMap(fields: ReadonlyMap<string, FieldNode>): (document: Buffer) => Buffer {
  const scope = new Scope(Buffer.alloc(0));
  return (document) => {
    scope.document = document;
    const builder = new DocumentBuilder(document.length + 64);
    overlay(builder, document, 0, fields, scope);
    return builder.finish();
  };
}

/** Copies the document at `start` of `bytes` with the fields laid over it. */
function overlay(
  builder: DocumentBuilder,
  bytes: Buffer,
  start: number,
  fields: ReadonlyMap<string, FieldNode>,
  scope: Scope,
): void {
  const cursor = new FieldCursor(bytes, start);
  const written = new Set<string>();
  while (cursor.next()) {
    const { name } = cursor;
    const node = fields.get(name);
    if (node === undefined || written.has(name)) {
      builder.appendElementBytes(bytes, cursor.elementStart, cursor.valueEnd);
      continue;
    }
    written.add(name);
    if (node.kind === 'value') appendComputed(builder, name, node.expression, scope);
    else overlayValue(builder, name, cursor, node.fields, scope);
  }
  if (written.size < fields.size) appendNew(builder, fields, written, scope);
}

function appendComputed(
  builder: DocumentBuilder,
  name: string,
  expression: Expression,
  scope: Scope,
): void {
  const value = expression.evaluate(scope);
  if (value !== undefined) builder.append(name, value);
}

function overlayValue(
  builder: DocumentBuilder,
  name: string,
  at: Pick<FieldCursor, 'type' | 'bytes' | 'valueStart'>,
  fields: ReadonlyMap<string, FieldNode>,
  scope: Scope,
): void {
  if (at.type === BsonType.array) {
    builder.beginArray(name);
    const elements = new FieldCursor(at.bytes, at.valueStart);
    while (elements.next()) overlayValue(builder, elements.name, elements, fields, scope);
    builder.end();
    return;
  }
  builder.beginDocument(name);
  if (at.type === BsonType.object) overlay(builder, at.bytes, at.valueStart, fields, scope);
  else appendNew(builder, fields, NOTHING_WRITTEN, scope);
  builder.end();
}

const NOTHING_WRITTEN: ReadonlySet<string> = new Set();

function appendNew(
  builder: DocumentBuilder,
  fields: ReadonlyMap<string, FieldNode>,
  written: ReadonlySet<string>,
  scope: Scope,
): void {
  for (const [name, node] of fields) {
    if (written.has(name)) continue;
    if (node.kind === 'value') {
      appendComputed(builder, name, node.expression, scope);
      continue;
    }
    builder.beginDocument(name);
    appendNew(builder, node.fields, NOTHING_WRITTEN, scope);
    builder.end();
  }
}

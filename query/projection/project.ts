/**
 * Writes the projected document: kept elements are copied as bytes, in runs.
 *
 * Owns: how both kinds of projection go through documents and arrays. An inclusion drops scalars where its path goes on,
 * an exclusion keeps them; both enter arrays inside arrays.
 */
import {
  BsonType,
  FieldCursor,
  getField,
  indexName,
  type DocumentBuilder,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { appendSliced } from './operators/slice.ts';
import type { BranchNode, ElementMatchNode, Output, ProjectionNode } from './tree.ts';

type Kind = 'inclusion' | 'exclusion';

/** Copies neighbouring elements with one call. */
class Run {
  private readonly builder: DocumentBuilder;
  private readonly bytes: Buffer;
  private start = -1;
  private end = -1;

  constructor(builder: DocumentBuilder, bytes: Buffer) {
    this.builder = builder;
    this.bytes = bytes;
  }

  add(cursor: FieldCursor): void {
    if (this.end !== cursor.elementStart) {
      this.flush();
      this.start = cursor.elementStart;
    }
    this.end = cursor.valueEnd;
  }

  flush(): void {
    if (this.start >= 0) this.builder.appendElementBytes(this.bytes, this.start, this.end);
    this.start = -1;
    this.end = -1;
  }
}

/** Writes the fields of the document at `start` that the projection keeps, then those that it adds. */
export function projectFields(
  kind: Kind,
  node: BranchNode,
  bytes: Buffer,
  start: number,
  output: Output,
): void {
  const { table, additions } = node;
  const run = new Run(output.builder, bytes);
  const cursor = new FieldCursor(bytes, start);
  /** By place in the table: the field was seen, and whether it was written. */
  const seen: boolean[] = [];
  const written: boolean[] = [];
  // An inclusion has seen enough when all its fields were seen. A document may have a field twice.
  let unseen = kind === 'inclusion' ? table.values.length : Number.MAX_SAFE_INTEGER;
  while (unseen > 0 && cursor.next()) {
    const index = table.indexOf(cursor);
    if (index < 0) {
      if (kind === 'exclusion') run.add(cursor);
      continue;
    }
    if (!seen[index]) unseen -= 1;
    seen[index] = true;
    const child = table.values[index];
    if (child.kind === 'include') {
      run.add(cursor);
    } else if (child.kind !== 'exclude') {
      run.flush();
      written[index] = projectNode(kind, child, cursor.name, cursor.value(), output);
    }
  }
  run.flush();
  for (const { name, index } of additions) {
    if (!written[index]) addField(table.values[index], name, output);
  }
}

/** Writes one existing field. @returns false when its value is computed, and is written behind the others. */
function projectNode(
  kind: Kind,
  node: ProjectionNode,
  name: string,
  value: RawValue,
  output: Output,
): boolean {
  switch (node.kind) {
    case 'branch':
      projectValue(kind, node, name, value, output);
      return true;
    case 'slice':
      appendSliced(output.builder, name, value, node);
      return true;
    case 'positional':
      if (value.type === BsonType.array && !output.isNarrowed)
        appendPositional(name, value, output);
      else output.builder.append(name, value);
      return true;
    default:
      return false;
  }
}

/** Goes on inside a value where the path does. */
function projectValue(
  kind: Kind,
  node: BranchNode,
  name: string,
  value: RawValue,
  output: Output,
): void {
  const { builder } = output;
  if (value.type === BsonType.object) {
    builder.beginDocument(name);
    projectFields(kind, node, value.bytes, value.start, output);
    builder.end();
  } else if (value.type === BsonType.array) {
    builder.beginArray(name);
    projectElements(kind, node, value, output);
    builder.end();
  } else if (node.additions.length > 0) {
    // A computed field below a scalar replaces it by a document.
    addField(node, name, output);
  } else if (kind === 'exclusion') {
    builder.append(name, value);
  }
}

function projectElements(kind: Kind, node: BranchNode, array: RawValue, output: Output): void {
  const cursor = new FieldCursor(array.bytes, array.start);
  const only = node.isPositional && !output.isNarrowed ? matchedPosition(output) : undefined;
  const inner = only === undefined ? output : { ...output, isNarrowed: true };
  let kept = 0;
  for (let index = 0; cursor.next(); index += 1) {
    if (only !== undefined && index !== only) continue;
    const value = cursor.value();
    const isContainer = value.type === BsonType.object || value.type === BsonType.array;
    if (!isContainer && kind === 'inclusion' && node.additions.length === 0) continue;
    projectValue(kind, node, indexName(kept), value, inner);
    kept += 1;
  }
  uassert(
    only === undefined || kept === 1,
    51247,
    "Executor error during find command :: caused by :: positional operator '.$' element mismatch",
  );
}

/** A field that the document lacks, or that is computed anew. */
function addField(node: ProjectionNode, name: string, output: Output): void {
  const { builder } = output;
  if (node.kind === 'computed') {
    const value = node.evaluate(output);
    if (value !== undefined) builder.append(name, value);
  } else if (node.kind === 'elemMatch') {
    appendMatchingElement(name, node, output);
  } else if (node.kind === 'branch') {
    builder.beginDocument(name);
    for (const { name: inner, index } of node.additions) {
      addField(node.table.values[index], inner, output);
    }
    builder.end();
  }
}

/** `$elemMatch` stands at the top level only: the field is looked up in the whole document. */
function appendMatchingElement(name: string, node: ElementMatchNode, output: Output): void {
  const array = getField(output.scope.document, name);
  if (array?.type !== BsonType.array) return;
  const cursor = new FieldCursor(array.bytes, array.start);
  while (cursor.next()) {
    const element = cursor.value();
    if (!node.test(element)) continue;
    output.builder.beginArray(name).append('0', element).end();
    return;
  }
}

function appendPositional(name: string, array: RawValue, output: Output): void {
  const position = matchedPosition(output);
  const cursor = new FieldCursor(array.bytes, array.start);
  for (let index = 0; cursor.next(); index += 1) {
    if (index !== position) continue;
    output.builder.beginArray(name).append('0', cursor.value()).end();
    return;
  }
  uassert(
    false,
    51247,
    "Executor error during find command :: caused by :: positional operator '.$' element mismatch",
  );
}

function matchedPosition({ position }: Output): number {
  uassert(
    position !== undefined,
    51246,
    "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array",
  );
  return position;
}

/**
 * Walks an update's tree and a document together.
 *
 * Owns: what happens along a path: entering documents and arrays, making what is missing, refusing what is in the way.
 * Promises: gives back `undefined` when nothing changes; otherwise every container on the way is spliced once, and
 * everything beside it is copied as bytes.
 */
import {
  arrayValue,
  BsonType,
  DocumentBuilder,
  documentValue,
  FieldCursor,
  indexName,
  NULL,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { ValueTest } from '../matcher/tree.ts';
import { describeField, lastName } from './messages.ts';
import type { Application, Modifier, Outcome } from './modifier.ts';
import { splice, type Addition, type Edit } from './splice.ts';
import {
  merge,
  type Child,
  type Children,
  type ElementsNode,
  type NamesNode,
  type UpdateNode,
} from './tree.ts';

/** Conditions of `arrayFilters`, by identifier. */
export type ArrayFilters = ReadonlyMap<string, ValueTest>;

/** An array is not filled up with more nulls than this to reach an index. */
const MAX_ARRAY_PADDING = 1_500_000;

const NO_ADDITIONS: readonly Addition[] = [];

/** Applies `tree` to one document. */
export class Applier {
  private readonly application: Application;
  private readonly filters: ArrayFilters;

  constructor(application: Application, filters: ArrayFilters) {
    this.application = application;
    this.filters = filters;
  }

  /** The new document; undefined when nothing changes. */
  apply(tree: NamesNode): Buffer | undefined {
    return this.namesInDocument(tree, this.application.document, 0, '');
  }

  private namesInDocument(
    node: NamesNode,
    bytes: Buffer,
    start: number,
    path: string,
  ): Buffer | undefined {
    const children = this.childrenOf(node, path);
    const { list } = children;
    const edits: Edit[] = [];
    const seen: boolean[] = [];
    let unseen = list.length;
    const cursor = new FieldCursor(bytes, start);
    while (unseen > 0 && cursor.next()) {
      const index = children.indexOf(cursor);
      if (index < 0 || seen[index]) continue;
      seen[index] = true;
      unseen -= 1;
      const { name, node: child } = list[index];
      this.edit(child, cursor, join(path, name), false, edits);
    }
    const additions = unseen === 0 ? NO_ADDITIONS : this.additions(list, seen, path);
    if (edits.length === 0 && additions.length === 0) return undefined;
    return splice(bytes, start, edits, additions);
  }

  /** Fields that the document lacks, in order. */
  private additions(
    list: readonly Child[],
    seen: readonly (boolean | undefined)[],
    path: string,
  ): Addition[] {
    const additions: Addition[] = [];
    for (const [index, { name, node }] of list.entries()) {
      if (seen[index]) continue;
      const value = this.create(node, join(path, name), false);
      if (value !== undefined) additions.push({ name, value });
    }
    return additions;
  }

  /** Applies a node to the element under the cursor, and notes what changes. */
  private edit(
    node: UpdateNode,
    cursor: FieldCursor,
    path: string,
    inArray: boolean,
    edits: Edit[],
  ): void {
    const value = cursor.value();
    const { elementStart, valueStart, valueEnd: elementEnd } = cursor;
    const outcome = this.update(node, value, path, inArray);
    if (outcome === value) return;
    const changed = outcome === 'removed' ? undefined : outcome;
    edits.push({ elementStart, elementEnd, valueStart, value: changed });
  }

  private update(node: UpdateNode, value: RawValue, path: string, inArray: boolean): Outcome {
    switch (node.kind) {
      case 'modifier':
        if (this.skips(node.modifier)) return value;
        return node.modifier.update(value, { path, inArray, application: this.application });
      case 'elements':
        return this.elements(node, value, path);
      case 'names':
        return this.names(node, value, path);
    }
  }

  private skips(modifier: Modifier): boolean {
    return modifier.onInsertOnly === true && !this.application.isInsert;
  }

  private names(node: NamesNode, value: RawValue, path: string): RawValue {
    if (value.type === BsonType.object) {
      const changed = this.namesInDocument(node, value.bytes, value.start, path);
      return changed === undefined ? value : documentValue(changed);
    }
    if (value.type === BsonType.array) {
      const changed = this.namesInArray(node, value, path);
      return changed === undefined ? value : arrayValue(changed);
    }
    for (const { name, node: child } of this.childrenOf(node, path).list) {
      if (this.needsPath(child)) throw notViable(name, value, path);
    }
    return value;
  }

  private namesInArray(node: NamesNode, array: RawValue, path: string): Buffer | undefined {
    const children = this.childrenOf(node, path);
    const edits: Edit[] = [];
    const cursor = new FieldCursor(array.bytes, array.start);
    let length = 0;
    while (cursor.next()) {
      const name = indexName(length);
      const child = children.get(name);
      if (child !== undefined) this.edit(child, cursor, join(path, name), true, edits);
      length += 1;
    }
    const additions: Addition[] = [];
    for (const { name, node: child } of children.list) {
      const index = arrayIndex(name);
      if (index === undefined) {
        if (this.needsPath(child)) throw notViable(name, array, path);
      } else if (index >= length) {
        const value = this.create(child, join(path, name), true);
        if (value === undefined) continue;
        padArray(additions, length, index);
        additions.push({ name, value });
        length = index + 1;
      }
    }
    if (edits.length === 0 && additions.length === 0) return undefined;
    return splice(array.bytes, array.start, edits, additions);
  }

  /** `$[]` and `$[id]`: every element gets the modifiers of all identifiers whose filter it passes. */
  private elements(node: ElementsNode, value: RawValue, path: string): RawValue {
    if (value.type !== BsonType.array) {
      throw new CommandError(
        'BadValue',
        `Cannot apply array updates to non-array element ${describeField(lastName(path), value)}`,
      );
    }
    const edits: Edit[] = [];
    const cursor = new FieldCursor(value.bytes, value.start);
    for (let index = 0; cursor.next(); index += 1) {
      const at = join(path, indexName(index));
      const matched = this.matchingNode(node, cursor, at);
      if (matched !== undefined) this.edit(matched, cursor, at, true, edits);
    }
    return edits.length === 0 ? value : arrayValue(splice(value.bytes, value.start, edits, []));
  }

  private matchingNode(
    node: ElementsNode,
    cursor: FieldCursor,
    path: string,
  ): UpdateNode | undefined {
    let matched: UpdateNode | undefined;
    for (const [identifier, child] of node.children) {
      const filter = this.filters.get(identifier);
      const passes =
        identifier === '' ||
        filter?.(cursor.type, cursor.bytes, cursor.valueStart, cursor.valueEnd) === true;
      if (!passes) continue;
      matched = matched === undefined ? child : mergeAt(matched, child, path);
    }
    return matched;
  }

  /** The node's children by name, with the positional one under the index that the filter matched. */
  private childrenOf(node: NamesNode, path: string): Children {
    if (node.positional === undefined) return node.children;
    const index = this.application.positionalIndex;
    if (index === undefined) {
      throw new CommandError(
        'BadValue',
        'The positional operator did not find the match needed from the query.',
      );
    }
    const name = indexName(index);
    const explicit = node.children.get(name);
    const child =
      explicit === undefined
        ? node.positional
        : mergeAt(explicit, node.positional, join(path, name));
    return node.children.with(name, child);
  }

  /** The value of a path that does not exist yet; undefined when nothing is made. */
  private create(node: UpdateNode, path: string, inArray: boolean): RawValue | undefined {
    switch (node.kind) {
      case 'modifier':
        if (this.skips(node.modifier)) return undefined;
        return node.modifier.create({ path, inArray, application: this.application });
      case 'elements':
        throw new CommandError(
          'BadValue',
          `The path '${path}' must exist in the document in order to apply array updates.`,
        );
      case 'names': {
        const document = new DocumentBuilder();
        let isMade = false;
        for (const { name, node: child } of this.childrenOf(node, path).list) {
          const value = this.create(child, join(path, name), false);
          if (value === undefined) continue;
          document.append(name, value);
          isMade = true;
        }
        return isMade ? documentValue(document.finish()) : undefined;
      }
    }
  }

  /** Whether something below would have to be made, so that a value in the way is an error. */
  private needsPath(node: UpdateNode): boolean {
    switch (node.kind) {
      case 'modifier':
        return node.modifier.needsPath && !this.skips(node.modifier);
      case 'elements':
        return true;
      case 'names':
        return (
          (node.positional !== undefined && this.needsPath(node.positional)) ||
          node.children.list.some(({ node: child }) => this.needsPath(child))
        );
    }
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function mergeAt(a: UpdateNode, b: UpdateNode, path: string): UpdateNode {
  return merge(a, b, {
    at: [],
    conflict: (at) =>
      new CommandError(
        'ConflictingUpdateOperators',
        `Update created a conflict at '${[path, ...at].join('.')}'`,
      ),
  });
}

/** The number that a name is, if it is one in its shortest form. */
function arrayIndex(name: string): number | undefined {
  return /^(?:0|[1-9]\d{0,9})$/.test(name) ? Number(name) : undefined;
}

function padArray(additions: Addition[], from: number, to: number): void {
  if (to - from > MAX_ARRAY_PADDING) {
    throw new CommandError(
      'CannotBackfillArray',
      `can't backfill more than ${MAX_ARRAY_PADDING} elements`,
    );
  }
  for (let index = from; index < to; index += 1) {
    additions.push({ name: indexName(index), value: NULL });
  }
}

function notViable(name: string, value: RawValue, path: string): CommandError {
  return new CommandError(
    'PathNotViable',
    `Cannot create field '${name}' in element {${describeField(lastName(path), value)}}`,
  );
}

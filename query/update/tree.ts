/**
 * The paths of an update as a tree: modifiers stand at its leaves.
 *
 * Owns: how paths are read (names, `$`, `$[]`, `$[id]`), which paths conflict, and the order of fields.
 * Invariants:
 *  1. No modifier stands at, above or below another one's path (ConflictingUpdateOperators).
 *  2. Children are in MongoDB's order of new fields: numbers by value, then names by bytes.
 * Source: MongoDB's manual, "Update Operators Behavior" (lexicographic order, numeric names in numeric order).
 */
import type { FieldCursor } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { Modifier } from './modifier.ts';

/** One child of a node of names. */
export interface Child {
  readonly name: string;
  /** UTF-8 of the name, to be compared with a document's bytes. */
  readonly bytes: Buffer;
  readonly node: UpdateNode;
}

/** Beyond this many names a look-up by decoded name is cheaper than comparing one by one. */
const FEW_NAMES = 8;

/** Children in order, and found by the name under a cursor. */
export class Children {
  readonly list: readonly Child[];
  private readonly byName: ReadonlyMap<string, number>;

  constructor(entries: readonly (readonly [name: string, node: UpdateNode])[]) {
    const sorted = entries.toSorted(([a], [b]) => compareNames(a, b));
    this.list = sorted.map(([name, node]) => ({ name, bytes: Buffer.from(name), node }));
    this.byName = new Map(sorted.map(([name], index) => [name, index]));
  }

  get(name: string): UpdateNode | undefined {
    const index = this.byName.get(name);
    return index === undefined ? undefined : this.list[index].node;
  }

  /** The place in `list` of the current field's name; -1 when it is none of them. */
  indexOf(cursor: FieldCursor): number {
    const { list } = this;
    if (list.length > FEW_NAMES) return this.byName.get(cursor.name) ?? -1;
    for (let index = 0; index < list.length; index += 1) {
      if (cursor.nameIs(list[index].bytes)) return index;
    }
    return -1;
  }

  /** The same children with one more, or with another in its place. */
  with(name: string, node: UpdateNode): Children {
    const others = this.list.filter((child) => child.name !== name);
    return new Children([...others.map(entryOf), [name, node]]);
  }
}

function entryOf({ name, node }: Child): [string, UpdateNode] {
  return [name, node];
}

/** Names below a document, or numbers below an array. */
export interface NamesNode {
  readonly kind: 'names';
  /** Sorted by `compareNames`. */
  readonly children: Children;
  /** The child under `$`: its name is the index that the filter matched. */
  readonly positional: UpdateNode | undefined;
}

/** `$[]` and `$[id]` below an array. */
export interface ElementsNode {
  readonly kind: 'elements';
  /** By identifier; '' is `$[]`. */
  readonly children: ReadonlyMap<string, UpdateNode>;
}

export interface ModifierNode {
  readonly kind: 'modifier';
  readonly modifier: Modifier;
}

export type UpdateNode = NamesNode | ElementsNode | ModifierNode;

/** The tree of all modifiers. @throws CommandError 40, 2, 56: see parseUpdatePath and invariant 1. */
export function buildTree(
  entries: readonly { readonly path: string; readonly modifier: Modifier }[],
): NamesNode {
  const root: Draft = { isElements: false, children: new Map() };
  for (const { path, modifier } of entries) insert(root, path, modifier);
  return finishNames(root);
}

/** A tree under construction. In a node of names, the key `$` is the positional child. */
interface Draft {
  readonly isElements: boolean;
  readonly children: Map<string, Draft | Modifier>;
}

function isDraft(child: Draft | Modifier): child is Draft {
  return 'children' in child;
}

function insert(root: Draft, path: string, modifier: Modifier): void {
  const parts = parseUpdatePath(path);
  let node = root;
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const isElements = !isLast && isArrayFilterPart(parts[index + 1]);
    const key = node.isElements ? part.slice(2, -1) : part;
    const child = node.children.get(key);
    if (child === undefined) {
      const next: Draft = { isElements, children: new Map() };
      node.children.set(key, isLast ? modifier : next);
      node = next;
    } else if (isLast || !isDraft(child) || child.isElements !== isElements) {
      throw new CommandError(
        'ConflictingUpdateOperators',
        `Updating the path '${path}' would create a conflict at '${parts.slice(0, index + 1).join('.')}'`,
      );
    } else {
      node = child;
    }
  }
}

function finish(draft: Draft | Modifier): UpdateNode {
  if (!isDraft(draft)) return { kind: 'modifier', modifier: draft };
  if (!draft.isElements) return finishNames(draft);
  const children = Array.from(draft.children, ([key, child]): [string, UpdateNode] => [
    key,
    finish(child),
  ]);
  return { kind: 'elements', children: new Map(children) };
}

function finishNames(draft: Draft): NamesNode {
  const children: [string, UpdateNode][] = [];
  let positional: UpdateNode | undefined;
  for (const [key, child] of draft.children) {
    if (key === '$') positional = finish(child);
    else children.push([key, finish(child)]);
  }
  return { kind: 'names', children: new Children(children), positional };
}

/** No document nests deeper than this allows, and walking a path recurses once for each of its parts. */
const MAX_PATH_PARTS = 200;

/**
 * Splits a path and checks its form.
 * @throws CommandError EmptyFieldName 56, BadValue 2, Overflow 15.
 */
export function parseUpdatePath(path: string): readonly string[] {
  uassert(path !== '', 'EmptyFieldName', 'An empty update path is not valid.');
  const parts = path.split('.', MAX_PATH_PARTS + 1);
  uassert(parts.length <= MAX_PATH_PARTS, 'Overflow', 'The update path is too long');
  if (parts.includes('')) {
    throw new CommandError(
      'EmptyFieldName',
      `The update path '${path}' contains an empty field name, which is not allowed.`,
    );
  }
  const positional = parts.filter((part) => part === '$').length;
  if (positional > 1) {
    throw new CommandError(
      'BadValue',
      `Too many positional (i.e. '$') elements found in path '${path}'`,
    );
  }
  if (parts[0] === '$') {
    throw new CommandError(
      'BadValue',
      `Cannot have positional (i.e. '$') element in the first position in path '${path}'`,
    );
  }
  if (isArrayFilterPart(parts[0])) {
    throw new CommandError(
      'BadValue',
      `Cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '${path}'`,
    );
  }
  return parts;
}

/** `$[]` or `$[id]`. */
export function isArrayFilterPart(part: string): boolean {
  return part.startsWith('$[') && part.endsWith(']');
}

/** Identifiers of array filters that the path names, without the empty one of `$[]`. */
export function identifiersIn(path: string): string[] {
  return path
    .split('.')
    .filter(isArrayFilterPart)
    .map((part) => part.slice(2, -1))
    .filter((identifier) => identifier !== '');
}

export interface MergeContext {
  /** Names from the root to the nodes. */
  readonly at: readonly string[];
  readonly conflict: (at: readonly string[]) => CommandError;
}

/** Both nodes in one. @throws what `context.conflict` makes, when they contradict each other. */
export function merge(a: UpdateNode, b: UpdateNode, context: MergeContext): UpdateNode {
  if (a.kind === 'names' && b.kind === 'names') {
    const named = (node: NamesNode): Map<string, UpdateNode> =>
      new Map(node.children.list.map(entryOf));
    const children = mergeChildren(named(a), named(b), context, (name) => name);
    return {
      kind: 'names',
      children: new Children([...children]),
      positional: mergeOptional(a.positional, b.positional, below(context, '$')),
    };
  }
  if (a.kind === 'elements' && b.kind === 'elements') {
    const part = (identifier: string): string => `$[${identifier}]`;
    return { kind: 'elements', children: mergeChildren(a.children, b.children, context, part) };
  }
  throw context.conflict(context.at);
}

function below(context: MergeContext, part: string): MergeContext {
  return { ...context, at: [...context.at, part] };
}

function mergeOptional(
  a: UpdateNode | undefined,
  b: UpdateNode | undefined,
  context: MergeContext,
): UpdateNode | undefined {
  return a !== undefined && b !== undefined ? merge(a, b, context) : (a ?? b);
}

function mergeChildren(
  a: ReadonlyMap<string, UpdateNode>,
  b: ReadonlyMap<string, UpdateNode>,
  context: MergeContext,
  part: (key: string) => string,
): Map<string, UpdateNode> {
  const merged = new Map(a);
  for (const [key, child] of b) {
    const other = merged.get(key);
    merged.set(key, other === undefined ? child : merge(other, child, below(context, part(key))));
  }
  return merged;
}

const NUMERIC = /^\d+$/;

/** Order in which new fields appear. */
function compareNames(a: string, b: string): number {
  if (NUMERIC.test(a) && NUMERIC.test(b)) {
    const difference = BigInt(a) - BigInt(b);
    if (difference !== 0n) return difference < 0n ? -1 : 1;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

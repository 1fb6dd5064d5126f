/**
 * A projection's paths as a tree.
 *
 * Owns: the node types, and which paths collide.
 */
import type { DocumentBuilder, RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Scope } from '../expression/scope.ts';
import { FieldTable } from '../field-table.ts';
import type { DocumentMetadata } from './projection.ts';

/** What a computed field may read. */
export interface ComputationInput {
  readonly scope: Scope;
  readonly metadata: DocumentMetadata | undefined;
}

/** A field whose value is computed: an expression or a `$meta`. */
export interface ComputedNode {
  readonly kind: 'computed';
  readonly evaluate: (input: ComputationInput) => RawValue | undefined;
  /** Paths that the expression reads; undefined: the whole document. */
  readonly paths: ReadonlySet<string> | undefined;
}

/** find's `$slice`: elements from `skip` on, at most `limit`; without skip a negative limit counts from the end. */
export interface SliceNode {
  readonly kind: 'slice';
  readonly skip: number | undefined;
  readonly limit: number;
}

/** find's `$elemMatch`: the first element that passes. */
export interface ElementMatchNode {
  readonly kind: 'elemMatch';
  readonly test: (element: RawValue) => boolean;
}

/** What happens at the end of a path. */
export type LeafNode =
  | { readonly kind: 'include' }
  | { readonly kind: 'exclude' }
  | { readonly kind: 'positional' }
  | ComputedNode
  | SliceNode
  | ElementMatchNode;

/** A name on the way. */
export interface BranchNode {
  readonly kind: 'branch';
  readonly children: ReadonlyMap<string, ProjectionNode>;
  readonly table: FieldTable<ProjectionNode>;
  /** Children that may add a field that the document lacks, by their place in `table`, in the order of writing. */
  readonly additions: readonly { readonly name: string; readonly index: number }[];
  /** A `.$` ends a path below: the first array on the way keeps one element. */
  readonly isPositional: boolean;
}

export type ProjectionNode = LeafNode | BranchNode;

/** A builder that nodes write to, and what computed fields read. */
export interface Output extends ComputationInput {
  readonly builder: DocumentBuilder;
  /** The index that the filter matched, for `.$`. */
  readonly position: number | undefined;
  /** An array on the way was narrowed to that one element: arrays below it stay whole. */
  readonly isNarrowed: boolean;
}

/** A tree under construction. */
export class TreeBuilder {
  private readonly children = new Map<string, LeafNode | TreeBuilder>();

  /** @throws CommandError 31250, 31249 when a path is at, above or below another. */
  add(parts: readonly string[], leaf: LeafNode): void {
    this.addBelow(parts, 0, leaf);
  }

  private addBelow(parts: readonly string[], index: number, leaf: LeafNode): void {
    const child = this.children.get(parts[index]);
    if (index === parts.length - 1) {
      if (child !== undefined) throw collision(31250, parts.join('.'));
      this.children.set(parts[index], leaf);
      return;
    }
    if (child !== undefined && !(child instanceof TreeBuilder)) {
      const rest = parts.slice(index + 1).join('.');
      throw collision(31249, `${parts.join('.')} remaining portion ${rest}`);
    }
    const branch = child ?? new TreeBuilder();
    this.children.set(parts[index], branch);
    branch.addBelow(parts, index + 1, leaf);
  }

  remove(name: string): void {
    this.children.delete(name);
  }

  finish(): BranchNode {
    const children = new Map<string, ProjectionNode>();
    for (const [name, child] of this.children) {
      children.set(name, child instanceof TreeBuilder ? child.finish() : child);
    }
    const additions = Array.from(children, ([name, child], index) => ({ name, child, index }))
      .filter(({ child }) => mayAdd(child))
      .map(({ name, index }) => ({ name, index }));
    const isPositional = [...children.values()].some(isPositionalNode);
    return { kind: 'branch', children, table: new FieldTable(children), additions, isPositional };
  }
}

function mayAdd(node: ProjectionNode): boolean {
  if (node.kind === 'branch') return node.additions.length > 0;
  return node.kind === 'computed' || node.kind === 'elemMatch';
}

function isPositionalNode(node: ProjectionNode): boolean {
  return node.kind === 'branch' ? node.isPositional : node.kind === 'positional';
}

function collision(code: number, where: string): CommandError {
  return new CommandError(code, `Path collision at ${where}`);
}

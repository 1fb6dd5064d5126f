/**
 * The parsed form of a filter: what the planner reads, and what the matcher compiles.
 *
 * Owns: the node types and the normal form (see `conjunction`, `disjunction`).
 * Promises: a tree is immutable. In normal form no `and` stands directly in an `and` and no `or` in an `or`, no `and` or
 * `or` has a single child, and `$ne`, `$nin` and `$exists: false` are a `not` over `$eq`, `$in` and `$exists`.
 * Never: looks at a document; the tests that its leaves carry do.
 */
import type { RawValue } from '../../bson/index.ts';
import type { LongWork } from '../expression/long-work.ts';
import type { TextSearch } from '../text/text-query.ts';
import type { GeoArea } from './geo/area.ts';
import type { NearQuery } from './geo/near-query.ts';

/**
 * Whether a value passes. `type` is a BSON type code, or 0 for a missing field (then start and end are 0).
 * The value's bytes are `bytes[start, end)`, without type byte and name.
 */
export type ValueTest = (type: number, bytes: Buffer, start: number, end: number) => boolean;

/** Whether the document that starts at `start` in `bytes` passes. */
export type DocumentTest = (bytes: Buffer, start: number) => boolean;

/** Comparisons across types that only the planner makes: see operators/internal-expr.ts. */
export type InternalExprOperator =
  | '$_internalExprEq'
  | '$_internalExprGt'
  | '$_internalExprGte'
  | '$_internalExprLt'
  | '$_internalExprLte';

/** The operators that test the values at a path one by one. */
export type LeafOperator =
  | InternalExprOperator
  | '$eq'
  | '$gt'
  | '$gte'
  | '$lt'
  | '$lte'
  | '$in'
  | '$exists'
  | '$type'
  | '$mod'
  | '$regex'
  | '$size'
  | '$bitsAllSet'
  | '$bitsAllClear'
  | '$bitsAnySet'
  | '$bitsAnyClear'
  | '$geoWithin'
  | '$geoIntersects';

/** A test of the values at one path. */
export interface LeafNode {
  readonly kind: 'leaf';
  /** Dotted path; empty inside an $elemMatch over values, where the element itself is tested. */
  readonly path: string;
  readonly operator: LeafOperator;
  /**
   * The operator's argument. `$in`: its members in MongoDB's order, equal ones once, regular expressions last;
   * `$regex`: one regex value with pattern and options; all others: the one argument.
   */
  readonly operands: readonly RawValue[];
  readonly test: ValueTest;
  /** Of a geo condition: what indexes can look for. */
  readonly area?: GeoArea;
  /** An array at the end of the path is tested as a whole only, not element by element ($size). */
  readonly wholeArrayOnly: boolean;
  /** As of a test of documents. */
  readonly longWork?: LongWork | undefined;
}

/** `$elemMatch`: some element of the array at `path` passes `child`. */
export interface ElementNode {
  readonly kind: 'elemMatch';
  readonly path: string;
  /** 'object': `child` is matched against elements that are documents; 'value': against the element itself, with empty paths. */
  readonly over: 'object' | 'value';
  readonly child: FilterNode;
}

/** A test of a whole document: `$expr`, `$jsonSchema`, `$sampleRate`, and the like. */
export interface DocumentNode {
  readonly kind: 'document';
  readonly operator: string;
  readonly operand: RawValue;
  readonly test: DocumentTest;
  /** Only an index answers it: the test lets every document pass. */
  readonly special?: SpecialCondition;
  /** The test runs JavaScript: it is evaluated where scripts are prepared, never in a scan. */
  readonly usesScripts?: boolean;
  /** The test may take long: it is evaluated where it is watched, never in a scan. */
  readonly longWork?: LongWork | undefined;
}

export type SpecialCondition =
  | { readonly kind: 'text'; readonly search: TextSearch }
  | { readonly kind: 'near'; readonly near: NearQuery };

export interface LogicalNode {
  /** `and` without children is always true. */
  readonly kind: 'and' | 'or' | 'nor';
  readonly children: readonly FilterNode[];
}

export interface NotNode {
  readonly kind: 'not';
  readonly child: FilterNode;
}

/** `$alwaysTrue`, `$alwaysFalse`, `$all: []`. */
export interface ConstantNode {
  readonly kind: 'constant';
  readonly value: boolean;
}

export type FilterNode =
  LeafNode | ElementNode | DocumentNode | LogicalNode | NotNode | ConstantNode;

export const ALWAYS_TRUE: FilterNode = { kind: 'and', children: [] };
export const ALWAYS_FALSE: FilterNode = { kind: 'constant', value: false };

/** All of `children`, in normal form. */
export function conjunction(children: readonly FilterNode[]): FilterNode {
  const flat = children.flatMap((child) => (child.kind === 'and' ? child.children : [child]));
  const first = flat[0];
  return flat.length === 1 && first !== undefined ? first : { kind: 'and', children: flat };
}

/** At least one of `children` (there is one), in normal form. */
export function disjunction(children: readonly FilterNode[]): FilterNode {
  const flat = children.flatMap((child) => (child.kind === 'or' ? child.children : [child]));
  const first = flat[0];
  return flat.length === 1 && first !== undefined ? first : { kind: 'or', children: flat };
}

/** The tree in two parts that both must hold: without JavaScript and long loops, and with them. undefined: there is no such part. */
export function splitPrepared(tree: FilterNode): {
  readonly plain: FilterNode | undefined;
  readonly prepared: FilterNode | undefined;
} {
  if (!needsPreparation(tree)) return { plain: tree, prepared: undefined };
  if (tree.kind !== 'and') return { plain: undefined, prepared: tree };
  const plain = tree.children.filter((child) => !needsPreparation(child));
  return {
    plain: plain.length === 0 ? undefined : conjunction(plain),
    prepared: conjunction(tree.children.filter(needsPreparation)),
  };
}

export function usesScripts(tree: FilterNode): boolean {
  return someDocumentTest(tree, (node) => node.usesScripts === true);
}

export function longWorkOf(tree: FilterNode): LongWork | undefined {
  switch (tree.kind) {
    case 'leaf':
    case 'document':
      return tree.longWork;
    case 'elemMatch':
    case 'not':
      return longWorkOf(tree.child);
    case 'constant':
      return undefined;
    default: {
      const found = tree.children.map(longWorkOf);
      return found.includes('any') ? 'any' : found.find((work) => work !== undefined);
    }
  }
}

/** Whether it is evaluated where scripts are prepared, or where it is watched. */
export function needsPreparation(tree: FilterNode): boolean {
  return usesScripts(tree) || longWorkOf(tree) !== undefined;
}

function someDocumentTest(tree: FilterNode, is: (node: DocumentNode) => boolean): boolean {
  switch (tree.kind) {
    case 'document':
      return is(tree);
    case 'and':
    case 'or':
    case 'nor':
      return tree.children.some((child) => someDocumentTest(child, is));
    case 'not':
      return someDocumentTest(tree.child, is);
    default:
      return false;
  }
}

export function negation(child: FilterNode): FilterNode {
  return { kind: 'not', child };
}

/**
 * Reads a projection document into a tree.
 *
 * Owns: which fields include, exclude or compute, which may stand together, and what an ambiguous projection is.
 * Source: MongoDB's manual, "Project Fields to Return from Query", "$project"; the error codes are MongoDB's.
 */
import {
  BsonType,
  fieldCount,
  fieldsOf,
  firstFieldName,
  inspect,
  isEmpty,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { compileExpression } from '../expression/compile.ts';
import { splitFieldPath } from '../expression/field-path.ts';
import { findExpression } from '../expression/registry.ts';
import { compileElemMatch } from '../matcher/compile.ts';
import { isTrueInFilter } from '../matcher/operand.ts';
import type { FilterNode } from '../matcher/tree.ts';
import { parseMeta } from './operators/meta.ts';
import { parseSlice } from './operators/slice.ts';
import type { MetadataName, ProjectionOptions } from './projection.ts';
import { TreeBuilder, type BranchNode, type LeafNode } from './tree.ts';

export interface ParsedProjection {
  readonly kind: 'inclusion' | 'exclusion';
  readonly root: BranchNode;
  readonly needsPosition: boolean;
  readonly metadataNeeded: ReadonlySet<MetadataName>;
}

export function parseProjection(projection: Buffer, options: ProjectionOptions): ParsedProjection {
  return new Parser(options).parse(projection);
}

class Parser {
  private readonly options: ProjectionOptions;
  private readonly tree = new TreeBuilder();
  private kind: 'inclusion' | 'exclusion' | undefined;
  private hasPositional = false;
  private hasElemMatch = false;
  private hasSlice = false;
  private readonly metadata = new Set<MetadataName>();
  /** What was said of `_id` as a whole. */
  private id: 'included' | 'excluded' | undefined;
  private namesId = false;

  constructor(options: ProjectionOptions) {
    this.options = options;
  }

  parse(projection: Buffer): ParsedProjection {
    for (const [name, value] of fieldsOf(projection)) {
      this.namesId ||= name === '_id' || name.startsWith('_id.');
      this.field(name, value, []);
    }
    const kind = this.kind ?? this.ambiguousKind();
    if (kind === 'inclusion' && !this.namesId) this.tree.add(['_id'], { kind: 'include' });
    if (kind === 'exclusion' && this.id === 'included') this.tree.remove('_id');
    return {
      kind,
      root: this.tree.finish(),
      needsPosition: this.hasPositional,
      metadataNeeded: this.metadata,
    };
  }

  /** Nothing but `_id` and operators that may stand in both kinds. */
  private ambiguousKind(): 'inclusion' | 'exclusion' {
    if (this.hasSlice) return this.id === 'included' ? 'inclusion' : 'exclusion';
    if (this.hasElemMatch) return 'inclusion';
    if (this.metadata.size > 0 && this.options.stage === true) return 'inclusion';
    return this.id === 'included' ? 'inclusion' : 'exclusion';
  }

  private field(name: string, value: RawValue, parents: readonly string[]): void {
    const positional = positionalAt(name);
    uassert(
      positional === undefined || this.options.stage !== true,
      31324,
      'Cannot use positional projection in aggregation projection',
    );
    if (value.type === BsonType.object) {
      uassert(
        positional === undefined,
        31271,
        'positional projection cannot be used with an expression or sub object',
      );
      this.object(name, value, parents);
    } else if (value.isNumber || value.type === BsonType.bool) {
      if (isTrueInFilter(value)) this.inclusion(name, parents, positional);
      else this.exclusion(name, parents);
    } else {
      uassert(
        positional === undefined,
        31308,
        'positional projection cannot be used with a literal',
      );
      this.literal(name, value, parents);
    }
  }

  private add(name: string, parents: readonly string[], leaf: LeafNode): void {
    this.tree.add([...parents, ...splitFieldPath(name)], leaf);
  }

  private inclusion(name: string, parents: readonly string[], positional?: number): void {
    if (positional === undefined) this.add(name, parents, { kind: 'include' });
    else this.positional(name, parents, positional);
    if (name === '_id' && parents.length === 0) {
      this.id = 'included';
      return;
    }
    if (this.kind === 'exclusion') {
      throw new CommandError(31253, `Cannot do inclusion on field ${name} in exclusion projection`);
    }
    this.kind = 'inclusion';
  }

  private positional(name: string, parents: readonly string[], at: number): void {
    uassert(
      !this.hasPositional,
      31276,
      'Cannot specify more than one positional projection per query.',
    );
    uassert(!this.hasElemMatch, 31256, 'Cannot specify positional operator and $elemMatch.');
    const root = parents[0] ?? name.split('.')[0];
    const { filter } = this.options;
    if (filter !== undefined && !mentions(filter.tree, root)) {
      throw new CommandError(
        31277,
        `Positional projection '${name}' does not match the query document.`,
      );
    }
    uassert(!name.endsWith('.$.'), 31270, "Path cannot end with '.$.'");
    const after = name.slice(at + 3);
    if (after === '$' || positionalAt(after) !== undefined) {
      throw new CommandError(31287, `Cannot use positional operator twice: ${name}`);
    }
    this.add(name.slice(0, at), parents, { kind: 'positional' });
    this.hasPositional = true;
  }

  private exclusion(name: string, parents: readonly string[]): void {
    this.add(name, parents, { kind: 'exclude' });
    if (name === '_id' && parents.length === 0) {
      this.id = 'excluded';
      return;
    }
    if (this.kind === 'inclusion') {
      throw new CommandError(31254, `Cannot do exclusion on field ${name} in inclusion projection`);
    }
    this.kind = 'exclusion';
  }

  private literal(name: string, value: RawValue, parents: readonly string[]): void {
    this.add(name, parents, this.computed(value));
    if (this.kind === 'exclusion') {
      throw new CommandError(
        31310,
        `Cannot use an expression ${name}: ${inspect(value)} in an exclusion projection`,
      );
    }
    this.kind = 'inclusion';
  }

  private computed(value: RawValue): LeafNode {
    const { evaluate, paths } = compileExpression(value, this.options.context);
    return { kind: 'computed', evaluate: ({ scope }) => evaluate(scope), paths };
  }

  private object(name: string, value: RawValue, parents: readonly string[]): void {
    const document = value.asDocument();
    uassert(
      !isEmpty(document),
      51270,
      'An empty sub-projection is not a valid value. Found empty object at path',
    );
    const first = firstFieldName(document);
    if (first?.startsWith('$') === true && fieldCount(document) === 1) {
      const [[, argument]] = [...fieldsOf(document)];
      this.operator(name, value, { operator: first, argument }, parents);
      return;
    }
    const below = [...parents, ...splitFieldPath(name)];
    for (const [inner, innerValue] of fieldsOf(document)) this.field(inner, innerValue, below);
  }

  private operator(
    name: string,
    value: RawValue,
    { operator, argument }: { operator: string; argument: RawValue },
    parents: readonly string[],
  ): void {
    const isFind = this.options.stage !== true;
    if (operator === '$meta') {
      const { node, metadata } = parseMeta(argument);
      // A router asks for what it merges by under a name that no stored field can have.
      const isForRouter = name === '$sortKey' && metadata === 'sortKey' && parents.length === 0;
      if (isForRouter) this.tree.add([name], node);
      else this.add(name, parents, node);
      this.metadata.add(metadata);
    } else if (operator === '$elemMatch') {
      this.elemMatch(name, argument, parents);
    } else if (operator === '$slice' && isFind && this.findSlice(name, argument, parents)) {
      this.hasSlice = true;
    } else {
      this.expression(name, value, operator, parents);
    }
  }

  private expression(
    name: string,
    value: RawValue,
    operator: string,
    parents: readonly string[],
  ): void {
    if (findExpression(operator) === undefined) {
      throw new CommandError(31325, `Unknown expression ${operator}`);
    }
    uassert(
      this.kind !== 'exclusion',
      31252,
      'Cannot use expression other than $meta in exclusion projection',
    );
    this.kind = 'inclusion';
    this.add(name, parents, this.computed(value));
  }

  /** @returns false when the argument is that of the expression `$slice`. */
  private findSlice(name: string, argument: RawValue, parents: readonly string[]): boolean {
    const node = parseSlice(argument);
    if (node === undefined) return false;
    this.add(name, parents, node);
    return true;
  }

  private elemMatch(name: string, argument: RawValue, parents: readonly string[]): void {
    uassert(
      this.options.stage !== true,
      'InvalidPipelineOperator',
      'Cannot use $elemMatch in this context',
    );
    uassert(
      argument.type === BsonType.object,
      31274,
      `elemMatch: Invalid argument, object required, but got ${argument.typeName}`,
    );
    uassert(!this.hasPositional, 31255, 'Cannot specify positional operator and $elemMatch.');
    uassert(
      parents.length === 0 && !name.includes('.'),
      31275,
      'Cannot use $elemMatch projection on a nested field.',
    );
    const test = compileElemMatch(argument, this.options.context);
    this.add(name, parents, { kind: 'elemMatch', test });
    this.hasElemMatch = true;
  }
}

/** Where the first `.$` of a name stands. */
function positionalAt(name: string): number | undefined {
  const inside = name.indexOf('.$.');
  if (inside >= 0) return inside;
  if (name.endsWith('.$')) return name.length - 2;
  return name === '$' ? 0 : undefined;
}

/** Whether some condition is about `field` or something below it. */
function mentions(node: FilterNode, field: string): boolean {
  switch (node.kind) {
    case 'leaf':
    case 'elemMatch':
      return node.path.split('.')[0] === field;
    case 'not':
      return mentions(node.child, field);
    case 'document':
    case 'constant':
      return false;
    default:
      return node.children.some((child) => mentions(child, field));
  }
}

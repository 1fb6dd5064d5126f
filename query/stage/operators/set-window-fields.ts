/**
 * $setWindowFields: values computed over neighbours of a document in its partition.
 */
import {
  BsonType,
  type Collator,
  compareValues,
  documentOf,
  documentValue,
  fieldsOf,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { carryMetadata } from '../../document-metadata.ts';
import { type SortedRow, Sorter, type SortKey, type SortOrder } from '../../executor/sorter.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Value } from '../../expression/definition.ts';
import { elementsOf } from '../../expression/elements.ts';
import type { Expression } from '../../expression/expression.ts';
import { splitFieldPath } from '../../expression/field-path.ts';
import { parseTimeUnit } from '../../expression/operators/date-arguments.ts';
import { Scope } from '../../expression/scope.ts';
import { ownedDocument } from '../../owned.ts';
import { parseSort, sortOrderOf } from '../../planner/sort-pattern.ts';
import { DocumentList } from '../../spill/document-list.ts';
import type { ComputeWindow } from '../../window/definition.ts';
import type { Bound, Partition, Window } from '../../window/partition.ts';
import { findWindow } from '../../window/registry.ts';
import type { Steps } from '../../window/steps.ts';
import { idlArguments } from '../arguments.ts';
import { defineStage, type PipelineRun, type PipelineStage } from '../definition.ts';
import { withPath } from '../document-path.ts';
import { AGAIN, type BlockingOutput, BlockingSource, type DocumentSource } from '../source.ts';

export interface WindowField {
  readonly path: readonly string[];
  readonly compute: ComputeWindow;
}

export interface WindowSpecification {
  readonly partitionBy: Expression | undefined;
  readonly order: SortOrder | undefined;
  readonly sortPath: readonly string[] | undefined;
  readonly fields: readonly WindowField[];
}

class WindowSource extends BlockingSource {
  private readonly run: PipelineRun;
  private readonly specification: WindowSpecification;
  private readonly sorter: Sorter | undefined;
  private partition: SpillablePartition;

  constructor(run: PipelineRun, input: DocumentSource, specification: WindowSpecification) {
    super(run.yielder, input);
    this.run = run;
    this.specification = specification;
    const { partitionBy, order } = specification;
    this.partition = this.newPartition();
    if (partitionBy === undefined && order === undefined) return;
    this.sorter = new Sorter({
      order: new PartitionOrder(specification, run.context.collator),
      limit: 0,
      spill: run.spill,
      maxMemoryBytes: run.maxStageBytes,
    });
  }

  protected take(document: Buffer): void {
    if (this.sorter !== undefined) this.sorter.add(document, 0);
    else this.partition.add(carryMetadata(document, ownedDocument(document)));
  }

  protected finish(): Iterator<BlockingOutput> {
    if (this.sorter?.usedDisk === true) this.run.statistics.usedDisk = true;
    return this.results();
  }

  private *results(): Generator<BlockingOutput> {
    const { collator } = this.run.context;
    let value: Value;
    for (const { document, key } of rowsOf(this.sorter)) {
      if (this.yielder.tick()) yield AGAIN;
      const here = key.at(-1);
      const isSame = value !== undefined && compareValues(value, here ?? NULL, collator) === 0;
      if (!isSame) {
        yield* this.partitionResults();
        value = here;
      }
      this.partition.add(document);
    }
    yield* this.partitionResults();
    this.sorter?.close();
  }

  /** Gives the documents of the partition that has been gathered, and begins another one. */
  private *partitionResults(): Generator<BlockingOutput> {
    const { partition } = this;
    if (partition.length === 0) return;
    const { fields } = this.specification;
    const computed = fields.map(({ path, compute }) => ({ path, valueAt: compute(partition) }));
    for (let position = 0; position < partition.length; position += 1) {
      let result = partition.documentAt(position);
      for (const { path, valueAt } of computed) {
        result = withPath(result, path, yield* this.inSteps(valueAt(position)));
      }
      yield result;
    }
    partition.close();
    this.partition = this.newPartition();
  }

  private newPartition(): SpillablePartition {
    return new SpillablePartition(this.specification, this.run);
  }

  /** Goes on until the work is done; others have their turn whenever a slice is over. */
  private *inSteps<Result>(steps: Steps<Result>): Generator<typeof AGAIN, Result> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      if (this.yielder.tick()) yield AGAIN;
    }
  }

  override close(): void {
    this.sorter?.close();
    this.partition.close();
    super.close();
  }
}

function* rowsOf(sorter: Sorter | undefined): Generator<SortedRow> {
  if (sorter === undefined) return;
  const rows = sorter.sorted();
  for (let next = rows.next(); next.done !== true; next = rows.next()) yield next.value;
}

/** Partition by partition, and inside each as sortBy says. The value that a document is partitioned by stands last in its key. */
class PartitionOrder implements SortOrder {
  private readonly specification: WindowSpecification;
  private readonly collator: Collator | undefined;
  private readonly scope = new Scope(Buffer.alloc(0));

  constructor(specification: WindowSpecification, collator: Collator | undefined) {
    this.specification = specification;
    this.collator = collator;
  }

  keyOf(document: Buffer): SortKey {
    const { partitionBy, order } = this.specification;
    this.scope.document = document;
    const partition = partitionBy?.evaluate(this.scope) ?? NULL;
    if (partition.type === BsonType.array) throw partitionIsArray();
    return [...(order?.keyOf(document) ?? []), partition];
  }

  compare(a: SortKey, b: SortKey): number {
    const byPartition = compareValues(a.at(-1)!, b.at(-1)!, this.collator);
    return byPartition === 0 ? (this.specification.order?.compare(a, b) ?? 0) : byPartition;
  }
}

/** The documents of one partition, in their order: in memory, and beyond its budget on disk. */
class SpillablePartition implements Partition {
  readonly maxStateBytes: number;
  readonly order: SortOrder | undefined;
  readonly sortPath: readonly string[] | undefined;
  private readonly documents: DocumentList;

  constructor({ order, sortPath }: WindowSpecification, run: PipelineRun) {
    this.order = order;
    this.sortPath = sortPath;
    this.maxStateBytes = run.maxStageBytes;
    this.documents = new DocumentList({
      // Who may use the disk does so the sooner, the more others work.
      maxMemoryBytes: Math.min(run.maxStageBytes, run.spill?.memoryBytes ?? Infinity),
      spill: (bytes) => {
        if (run.spill === undefined) throw tooLarge(bytes, run.maxStageBytes);
        run.statistics.usedDisk = true;
        return run.spill;
      },
    });
  }

  add(document: Buffer): void {
    this.documents.push(document);
  }

  get length(): number {
    return this.documents.length;
  }

  documentAt(position: number): Buffer {
    return this.documents.at(position);
  }

  keyAt(position: number): SortKey {
    return this.order?.keyOf(this.documents.at(position)) ?? [];
  }

  close(): void {
    this.documents.close();
  }
}

function tooLarge(bytes: number, maxBytes: number): CommandError {
  return new CommandError(
    5643011,
    `Exceeded max memory. Current memory: ${bytes} bytes. Max allowed memory: ${maxBytes} bytes.`,
  );
}

export function windowStage(
  name: string,
  specification: WindowSpecification,
  shown: Buffer,
): PipelineStage {
  return {
    name,
    nature: { kind: 'other' },
    shown,
    evaluation: { start: () => windowEvaluation(specification), isLate: true },
    open: (input, run) => new WindowSource(run, input, specification),
  };
}

/** Every expression of the stage on one document: a partition of nothing else. */
function windowEvaluation({
  partitionBy,
  order,
  sortPath,
  fields,
}: WindowSpecification): (document: Buffer) => void {
  const scope = new Scope(Buffer.alloc(0));
  return (document) => {
    scope.document = document;
    partitionBy?.evaluate(scope);
    const partition: Partition = {
      length: 1,
      documentAt: () => document,
      keyAt: () => order?.keyOf(document) ?? [],
      maxStateBytes: Infinity,
      order,
      sortPath,
    };
    for (const field of fields) {
      const steps = field.compute(partition)(0);
      while (steps.next().done !== true);
    }
  };
}

/** sortBy, or nothing: the order, the path of its only field, and whether its first one rises. */
export interface SortBy extends Pick<WindowSpecification, 'order' | 'sortPath'> {
  readonly fieldCount: number;
  readonly isAscending: boolean;
}

export function sortByOf(value: RawValue | undefined, context: QueryContext): SortBy {
  const sort = value === undefined ? undefined : parseSort(value.asDocument());
  if (sort === undefined) {
    return { order: undefined, sortPath: undefined, fieldCount: 0, isAscending: false };
  }
  const [only] = sort.fields;
  return {
    order: sortOrderOf(sort, context),
    sortPath: sort.fields.length === 1 ? splitFieldPath(only.path) : undefined,
    fieldCount: sort.fields.length,
    isAscending: only.direction === 1,
  };
}

export function compileWindowField(
  path: string,
  value: RawValue,
  sortBy: SortBy,
  context: QueryContext,
): WindowField {
  if (value.type !== BsonType.object) {
    throw new CommandError(
      'FailedToParse',
      `The field '${path}' must be an object that specifies a window function`,
    );
  }
  let operator: { readonly name: string; readonly argument: RawValue } | undefined;
  let window: Window | undefined;
  for (const [name, argument] of fieldsOf(value.asDocument())) {
    if (name === 'window') window = parseWindow(argument, sortBy, context);
    else if (!name.startsWith('$') || operator !== undefined) {
      throw new CommandError('FailedToParse', `Window function found an unknown argument: ${name}`);
    } else operator = { name, argument };
  }
  if (operator === undefined) {
    throw new CommandError('FailedToParse', `Expected a $-prefixed window function, in '${path}'`);
  }
  const definition = findWindow(operator.name);
  if (definition === undefined) {
    throw new CommandError('FailedToParse', `Unrecognized window function, ${operator.name}`);
  }
  const { fieldCount: sortFields } = sortBy;
  const compute = definition.compile({ ...operator, window, sortFields, context });
  return { path: splitFieldPath(path), compute };
}

/** A range is measured along the one field that documents are sorted by. */
function checkRangeOrder({ sortPath, isAscending }: SortBy): void {
  uassert(sortPath !== undefined, 5339902, 'Range-based bounds require sortBy a single field');
  uassert(isAscending, 8947401, 'Range-based bounds require an ascending sortBy');
}

/** @throws CommandError FailedToParse unless it is so. */
function require(isSo: boolean, message: string): void {
  uassert(isSo, 'FailedToParse', message);
}

function parseWindow(value: RawValue, sortBy: SortBy, context: QueryContext): Window | undefined {
  require(value.type === BsonType.object, "'window' field must be an object");
  const given = new Map(fieldsOf(value.asDocument()));
  const documents = given.get('documents');
  const range = given.get('range');
  const unit = given.get('unit');
  require(documents === undefined ||
    range === undefined, "Window bounds can specify either 'documents' or 'unit', not both.");
  const known = range === undefined ? 1 : unit === undefined ? 1 : 2;
  require(given.size ===
    (documents === undefined && range === undefined
      ? 0
      : known), "'window' field can only contain 'documents' as the only argument or 'range' with an optional 'unit' field");
  if (documents !== undefined) {
    const [lower, upper] = parseBounds(documents, 'int', context);
    const isSorted = sortBy.order !== undefined || (lower === 'unbounded' && upper === 'unbounded');
    uassert(isSorted, 5339901, 'Document-based bounds require a sortBy');
    return { kind: 'documents', lower, upper };
  }
  if (range === undefined) return undefined;
  require(unit === undefined || unit.type === BsonType.string, "'unit' must be a string");
  const [lower, upper] = parseBounds(range, unit === undefined ? 'number' : 'int', context);
  checkRangeOrder(sortBy);
  const parsed = unit && parseTimeUnit(unit.asString());
  return { kind: 'range', lower, upper, unit: parsed };
}

/** What a bound may be besides 'unbounded' and 'current'. */
type BoundKind = 'int' | 'number';

function parseBounds(
  value: RawValue,
  kind: BoundKind,
  context: QueryContext,
): readonly [Bound, Bound] {
  const items = value.type === BsonType.array ? elementsOf(value) : [];
  require(items.length === 2, 'Window bounds must be a 2-element array');
  const [lower, upper] = items.map((item) => parseBound(item, kind, context));
  const place = (bound: Bound, open: number): number =>
    bound === 'unbounded' ? open : bound === 'current' ? 0 : bound;
  if (place(lower, -Infinity) > place(upper, Infinity)) {
    throw new CommandError(5339900, 'Lower bound must not exceed upper bound');
  }
  return [lower, upper];
}

function parseBound(value: RawValue, kind: BoundKind, context: QueryContext): Bound {
  if (value.type === BsonType.string) {
    const word = value.asString();
    if (word === 'unbounded' || word === 'current') return word;
    throw new CommandError(
      'FailedToParse',
      "Window bounds must be 'unbounded', 'current', or a number.",
    );
  }
  const bound = compileExpression(value, context).constant?.value;
  uassert(bound !== undefined, 'FailedToParse', 'Window bounds expression must be a constant.');
  const isRight = kind === 'int' ? isInt32(bound) : bound.isNumber;
  require(isRight, `Window bounds must be ${kind === 'int' ? 'an integer' : 'a number'}`);
  return bound.asNumber();
}

function isInt32(value: RawValue): boolean {
  if (!value.isNumber) return false;
  const number = value.asNumber();
  return Number.isInteger(number) && (number | 0) === number;
}

/** @throws CommandError TypeMismatch for what is an array whatever the document */
export function compilePartition(value: RawValue, context: QueryContext): Expression {
  const expression = compileExpression(value, context);
  if (expression.constant?.value?.type === BsonType.array) throw partitionIsArray();
  return expression;
}

function partitionIsArray(): CommandError {
  return new CommandError(
    'TypeMismatch',
    'An expression used to partition cannot evaluate to value of type array',
  );
}

export const $setWindowFields = defineStage({
  name: '$setWindowFields',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    const given = idlArguments('$setWindowFields', argument, {
      partitionBy: 'any',
      sortBy: 'object',
      'output!': 'object',
    });
    const output = given.get('output')!;
    const partitionBy = given.get('partitionBy');
    const sortBy = sortByOf(given.get('sortBy'), context);
    const fields = Array.from(fieldsOf(output.asDocument()), ([path, value]) =>
      compileWindowField(path, value, sortBy, context),
    );
    const specification: WindowSpecification = {
      ...sortBy,
      partitionBy: partitionBy && compilePartition(partitionBy, context),
      fields,
    };
    return [windowStage('$setWindowFields', specification, shown)];
  },
});

/** {name: argument} as a value: a window operator that another stage stands for. */
export function operatorValue(name: string, argument: RawValue): RawValue {
  return documentValue(documentOf({ [name]: argument }));
}

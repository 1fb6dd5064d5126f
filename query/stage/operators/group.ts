/**
 * $group: one document per distinct key, with accumulators over the documents that share it.
 *
 * Owns: the table of groups. Keys are compared by canonicalKey, so that 1, 1.0 and NumberLong(1) are one group, shown as
 * the first of them came in.
 */
import { hash } from 'node:crypto';
import {
  BsonType,
  canonicalKey,
  DocumentBuilder,
  documentOf,
  documentValue,
  EMPTY_DOCUMENT,
  FieldCursor,
  fieldsOf,
  firstFieldName,
  getField,
  NULL,
  type RawValue,
  stringValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type {
  Accumulator,
  AccumulatorRole,
  CompiledAccumulator,
} from '../../accumulator/definition.ts';
import { findAccumulator } from '../../accumulator/registry.ts';
import type { QueryContext } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Value } from '../../expression/definition.ts';
import type { Expression } from '../../expression/expression.ts';
import { Scope } from '../../expression/scope.ts';
import {
  defineStage,
  type PipelineRun,
  type PipelineStage,
  type StageEvaluation,
  type StageNature,
} from '../definition.ts';
import { carryMetadata } from '../../document-metadata.ts';
import { ownedValue } from '../../owned.ts';
import { readRun, RunWriter } from '../../spill/document-run.ts';
import type { SpillFile } from '../../spill/spill-space.ts';
import { ScriptFolds } from '../../script/script-folds.ts';
import { AGAIN, BlockingSource, type BlockingOutput, type DocumentSource } from '../source.ts';

/** What a group and one of its accumulators cost, estimated. */
const GROUP_OVERHEAD_BYTES = 160;
const ACCUMULATOR_OVERHEAD_BYTES = 80;
/** The budget is looked at once per this many documents, or so many bytes of documents and keys. */
const BUDGET_CHECK_INTERVAL = 512;
const BUDGET_CHECK_BYTES = 4 * 1024 * 1024;
/** A longer key is told apart from others by a hash that nobody can collide. */
const LONGEST_PLAIN_KEY = 256;

export interface GroupField {
  readonly name: string;
  readonly accumulator: CompiledAccumulator;
}

export interface GroupSpecification {
  readonly id: Expression;
  readonly fields: readonly GroupField[];
}

/** What a group stage evaluates on a document. */
export function groupEvaluation({ id, fields }: GroupSpecification): StageEvaluation {
  return {
    start: () => {
      const scope = new Scope(Buffer.alloc(0));
      return (document) => {
        scope.document = document;
        const group = idDocumentOf(id.evaluate(scope));
        for (const field of fields) field.accumulator.create(group).accept(scope);
      };
    },
  };
}

/** What `n` and `initArgs` of an accumulator see of its group. */
function idDocumentOf(id: Value): Buffer {
  return id?.type === BsonType.object ? id.asDocument() : EMPTY_DOCUMENT;
}

interface Group {
  readonly id: RawValue;
  readonly accumulators: readonly Accumulator[];
}

/** Documents of groups that do not fit go to this many files, by their keys. */
const PARTITIONS = 16;
/** Partitions of partitions of partitions: 16^3 times the memory. */
const MAX_SPILL_DEPTH = 3;

/** The groups of one pass over documents; those that exceed the budget wait on disk, partitioned by key. */
class GroupTable {
  private readonly specification: GroupSpecification;
  private readonly run: PipelineRun;
  private readonly depth: number;
  private readonly groups = new Map<string, Group>();
  private readonly scope = new Scope(Buffer.alloc(0));
  private keyBytes = 0;
  private untilCheck = BUDGET_CHECK_INTERVAL;
  private bytesAtSpill = 0;
  /** Set once no further group may be made in memory. */
  private partitions:
    readonly { readonly file: SpillFile; readonly writer: RunWriter }[] | undefined;
  private readonly folds: ScriptFolds | undefined;
  /** Fields of documents that are read again; undefined: possibly all. */
  private readonly kept: ReadonlySet<string> | undefined;

  constructor(run: PipelineRun, specification: GroupSpecification, depth: number) {
    const paths = pathsOf(specification);
    this.kept = paths && new Set(Array.from(paths, (path) => path.split('.')[0]!));
    const isScripted = specification.fields.some((field) => field.accumulator.isScripted === true);
    this.folds = isScripted ? new ScriptFolds(run) : undefined;
    this.run = run;
    this.specification = specification;
    this.depth = depth;
  }

  /** @returns a promise when values must be folded by scripts before more are taken. */
  take(document: Buffer): void | Promise<void> {
    const { scope } = this;
    scope.document = document;
    const id = this.specification.id.evaluate(scope) ?? NULL;
    const key = shortKey(canonicalKey(id, this.run.context.collator));
    let group = this.groups.get(key);
    if (group === undefined) {
      if (this.partitions !== undefined) {
        const kept = this.kept === undefined ? document : onlyFields(document, this.kept);
        this.partitions[partitionOf(key, this.depth)].writer.write(kept, 0);
        return;
      }
      group = this.newGroup(id);
      this.groups.set(key, group);
      this.keyBytes += key.length + id.end - id.start;
    }
    for (const accumulator of group.accumulators) accumulator.accept(scope);
    this.untilCheck -= 1 + document.length / BYTES_PER_CHECK;
    if (this.untilCheck <= 0) this.checkBudget();
    return this.folds?.accepted(group.accumulators);
  }

  private newGroup(id: RawValue): Group {
    const owned = ownedValue(id);
    return {
      id: owned,
      accumulators: this.specification.fields.map((field) =>
        field.accumulator.create(idDocumentOf(owned)),
      ),
    };
  }

  private checkBudget(): void {
    this.untilCheck = BUDGET_CHECK_INTERVAL;
    const perGroup =
      GROUP_OVERHEAD_BYTES + this.specification.fields.length * ACCUMULATOR_OVERHEAD_BYTES;
    const bytes = this.keyBytes + this.groups.size * perGroup + this.heldBytes();
    const { spill, maxStageBytes } = this.run;
    // Who may spill does so the sooner, the more others work.
    if (bytes <= Math.min(maxStageBytes, spill?.memoryBytes ?? maxStageBytes)) return;
    if (spill === undefined) {
      throw new CommandError(
        'QueryExceededMemoryLimitNoDiskUseAllowed',
        "Exceeded memory limit for $group, but didn't allow external sort. Pass allowDiskUse:true to opt in.",
      );
    }
    // What grows on are the values of groups that exist: those cannot be put off.
    const growsOn = this.partitions !== undefined && bytes > 2 * this.bytesAtSpill;
    const isDeep = this.depth >= MAX_SPILL_DEPTH;
    if ((growsOn || isDeep) && bytes > maxStageBytes) {
      throw new CommandError(
        'ExceededMemoryLimit',
        '$group used too much memory and cannot spill to disk',
      );
    }
    if (this.partitions !== undefined || isDeep) return;
    this.bytesAtSpill = bytes;
    this.run.statistics.usedDisk = true;
    this.partitions = Array.from({ length: PARTITIONS }, () => {
      const file = spill.create();
      return { file, writer: new RunWriter(file) };
    });
  }

  private heldBytes(): number {
    // Walking all groups at each check would cost more than the documents: a sample of the table says enough.
    let held = 0;
    let looked = 0;
    for (const group of this.groups.values()) {
      for (const accumulator of group.accumulators) held += accumulator.heldBytes;
      looked += 1;
      if (looked >= BUDGET_CHECK_INTERVAL) break;
    }
    return looked === 0 ? 0 : (held / looked) * this.groups.size;
  }

  *results(): Generator<BlockingOutput> {
    const builder = new DocumentBuilder();
    if (this.folds !== undefined) yield* this.folds.finishAll(this.groups.values());
    for (const group of this.groups.values()) {
      builder.clear();
      builder.append('_id', group.id);
      group.accumulators.forEach((accumulator, index) => {
        builder.append(this.specification.fields[index].name, accumulator.result() ?? NULL);
      });
      yield builder.finish();
    }
    this.groups.clear();
    for (const { file, writer } of this.partitions ?? []) {
      yield* this.partitionResults(file, writer.start, writer.finish());
      file.close();
    }
  }

  private *partitionResults(
    file: SpillFile,
    start: number,
    end: number,
  ): Generator<BlockingOutput> {
    const table = new GroupTable(this.run, this.specification, this.depth + 1);
    try {
      for (const { document } of readRun(file, start, end)) {
        if (this.run.yielder.tick()) yield AGAIN;
        const folding = table.take(document);
        if (folding !== undefined) yield folding.then(() => AGAIN);
      }
      yield* table.results();
    } finally {
      table.close();
    }
  }

  close(): void {
    this.groups.clear();
    for (const { file } of this.partitions ?? []) file.close();
  }
}

/** What a document takes off the interval besides itself. */
const BYTES_PER_CHECK = BUDGET_CHECK_BYTES / BUDGET_CHECK_INTERVAL;

function shortKey(key: string): string {
  return key.length <= LONGEST_PLAIN_KEY ? key : hash('sha256', key, 'base64');
}

function onlyFields(document: Buffer, names: ReadonlySet<string>): Buffer {
  const builder = new DocumentBuilder();
  const cursor = new FieldCursor(document);
  while (cursor.next()) {
    if (names.has(cursor.name)) builder.append(cursor.name, cursor.value());
  }
  return carryMetadata(document, builder.finish());
}

/** Another hash at each depth, so that a partition does not fall into one of its own. */
function partitionOf(key: string, depth: number): number {
  let hash = 0x811c_9dc5 ^ (depth * 0x9e37_79b9);
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x0100_0193);
  }
  return ((hash ^ (hash >>> 15)) >>> 0) % PARTITIONS;
}

class GroupSource extends BlockingSource {
  private readonly table: GroupTable;

  constructor(run: PipelineRun, input: DocumentSource, specification: GroupSpecification) {
    super(run.yielder, input);
    this.table = new GroupTable(run, specification, 0);
  }

  protected take(document: Buffer): void | Promise<void> {
    return this.table.take(document);
  }

  protected finish(): Iterator<BlockingOutput> {
    return this.table.results();
  }

  override close(): void {
    this.table.close();
    super.close();
  }
}

/** One field of a $group: {name: {$accumulator: argument}}. */
export function compileGroupField(
  name: string,
  value: RawValue,
  context: QueryContext,
  role: AccumulatorRole = 'whole',
): GroupField {
  if (value.type !== BsonType.object) {
    throw new CommandError(40234, `The field '${name}' must be an accumulator object`);
  }
  if (name.includes('.')) {
    throw new CommandError(40235, `The field name '${name}' cannot contain '.'`);
  }
  if (name.startsWith('$')) {
    throw new CommandError(40236, `The field name '${name}' cannot be an operator name`);
  }
  const cursor = new FieldCursor(value.asDocument());
  if (!cursor.next()) {
    throw new CommandError(40234, `The field '${name}' must be an accumulator object`);
  }
  const operator = cursor.name;
  const argument = cursor.value();
  if (cursor.next()) {
    throw new CommandError(40238, `The field '${name}' must specify one accumulator`);
  }
  if (!operator.startsWith('$')) {
    throw new CommandError(40234, `The field '${name}' must be an accumulator object`);
  }
  const definition = findAccumulator(operator);
  if (definition === undefined) {
    throw new CommandError(15952, `unknown group operator '${operator}'`);
  }
  // What shards gave stands in the field itself.
  const source = role === 'merge' ? stringValue(`$${name}`) : argument;
  return { name, accumulator: definition.compile(source, context, role) };
}

export function groupStage(
  name: string,
  specification: GroupSpecification,
  shown: Buffer,
  options: { readonly nature?: StageNature } = {},
): PipelineStage {
  const paths = pathsOf(specification);
  return {
    name,
    nature: options.nature ?? { kind: 'other' },
    shown,
    evaluation: groupEvaluation(specification),
    letsGo: true,
    ...(paths === undefined ? {} : { pathsNeeded: paths }),
    open: (input, run) => new GroupSource(run, input, specification),
  };
}

function pathsOf({ id, fields }: GroupSpecification): ReadonlySet<string> | undefined {
  const all = [id.paths, ...fields.map((field) => field.accumulator.paths)];
  const union = new Set<string>();
  for (const paths of all) {
    if (paths === undefined) return undefined;
    for (const path of paths) union.add(path);
  }
  return union;
}

/** An object without operators is an expression, but not one of inclusions, as in $project. */
function compileId(value: RawValue, context: QueryContext): Expression {
  if (value.type === BsonType.object) {
    const fields = [...fieldsOf(value.asDocument())];
    const isOperator = fields[0]?.[0].startsWith('$') === true;
    const includes = fields.some(([, field]) => field.isNumber || field.type === BsonType.bool);
    uassert(isOperator || !includes, 17390, '$group does not support inclusion-style expressions');
  }
  const expression = compileExpression(value, context);
  return expression.constant === undefined && value.type === BsonType.object
    ? withoutMissing(value.asDocument(), expression, context)
    : expression;
}

/** Of an object of one field a missing value is null, as it is of no object; of several fields it stays missing. */
function withoutMissing(fields: Buffer, whole: Expression, context: QueryContext): Expression {
  const [[name, value], ...more] = [...fieldsOf(fields)];
  if (more.length > 0 || name.startsWith('$')) return whole;
  const only = compileExpression(value, context);
  const builder = new DocumentBuilder();
  return {
    ...whole,
    evaluate: (scope) => {
      builder.clear();
      return documentValue(builder.append(name, only.evaluate(scope) ?? NULL).finish());
    },
  };
}

/** How routers and shards say which part of a group they are about: MongoDB's words. */
const ROLES: ReadonlyMap<string, AccumulatorRole> = new Map([
  ['$willBeMerged', 'partial'],
  ['$doingMerge', 'merge'],
]);

function roleOf(argument: Buffer): AccumulatorRole {
  for (const [name, role] of ROLES) {
    if (getField(argument, name)?.isTruthy() === true) return role;
  }
  return 'whole';
}

export const $group = defineStage({
  name: '$group',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    if (argument.type !== BsonType.object) {
      throw new CommandError(15947, "a group's fields must be specified in an object");
    }
    let id: Expression | undefined;
    const fields: GroupField[] = [];
    const role = roleOf(argument.asDocument());
    for (const [name, value] of fieldsOf(argument.asDocument())) {
      if (name === '_id') {
        if (id !== undefined)
          throw new CommandError(15948, "a group's _id may only be specified once");
        id = compileId(role === 'merge' ? stringValue('$_id') : value, context);
      } else if (!ROLES.has(name)) fields.push(compileGroupField(name, value, context, role));
    }
    if (id === undefined) {
      throw new CommandError(15955, 'a group specification must include an _id');
    }
    const specification = { id, fields };
    const nature: StageNature =
      role === 'whole'
        ? distinctNature(specification, argument.asDocument(), { context, shown })
        : { kind: 'other' };
    return [groupStage('$group', specification, shown, { nature })];
  },
});

/** Accumulators that look at one document of their group, and which that is. */
const LOOKS_AT: ReadonlyMap<string, 'first' | 'last'> = new Map([
  ['$first', 'first'],
  ['$last', 'last'],
]);
const OPPOSITE = { first: '$last', last: '$first' } as const;

function distinctNature(
  specification: GroupSpecification,
  argument: Buffer,
  { context, shown }: { readonly context: QueryContext; readonly shown: Buffer },
): StageNature {
  const path = specification.id.fieldPath;
  if (path === undefined) return { kind: 'other' };
  const looks = Array.from(fieldsOf(argument))
    .filter(([name]) => name !== '_id' && !ROLES.has(name))
    .map(([, value]) => LOOKS_AT.get(firstFieldName(value.asDocument()) ?? ''));
  const [takes = 'any'] = looks;
  if (looks.some((look) => look === undefined || look !== takes)) return { kind: 'other' };
  return {
    kind: 'distinctGroups',
    path,
    takes,
    turned: () => {
      if (takes === 'any') return groupStage('$group', specification, shown);
      const fields = Array.from(fieldsOf(argument)).flatMap(([name, value]) => {
        if (name === '_id' || ROLES.has(name)) return [];
        const expression = new FieldCursor(value.asDocument());
        expression.next();
        const opposite = documentOf({ [OPPOSITE[takes]]: expression.value() });
        return [compileGroupField(name, documentValue(opposite), context)];
      });
      return groupStage('$group', { id: specification.id, fields }, shown);
    },
  };
}

/**
 * $group: one document per distinct key, with accumulators over the documents that share it.
 *
 * Owns: the table of groups. Keys are compared by canonicalKey, so that 1, 1.0 and NumberLong(1) are one group, shown as
 * the first of them came in.
 */
import {
  BsonType,
  canonicalKey,
  DocumentBuilder,
  FieldCursor,
  fieldsOf,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { Accumulator, CompiledAccumulator } from '../../accumulator/definition.ts';
import { findAccumulator } from '../../accumulator/registry.ts';
import type { QueryContext } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Expression } from '../../expression/expression.ts';
import { Scope } from '../../expression/scope.ts';
import { defineStage, type PipelineRun, type PipelineStage } from '../definition.ts';
import { BlockingSource, type DocumentSource } from '../source.ts';

/** Memory for the groups of one stage, bytes. */
const MAX_GROUP_BYTES = 100 * 1024 * 1024;
/** What a group and one of its accumulators cost, estimated. */
const GROUP_OVERHEAD_BYTES = 160;
const ACCUMULATOR_OVERHEAD_BYTES = 80;
/** The budget is looked at once per this many documents. */
const BUDGET_CHECK_INTERVAL = 512;

export interface GroupField {
  readonly name: string;
  readonly accumulator: CompiledAccumulator;
}

export interface GroupSpecification {
  readonly id: Expression;
  readonly fields: readonly GroupField[];
}

interface Group {
  readonly id: RawValue;
  readonly accumulators: readonly Accumulator[];
}

class GroupSource extends BlockingSource {
  private readonly specification: GroupSpecification;
  private readonly context: QueryContext;
  private readonly groups = new Map<string, Group>();
  private readonly scope = new Scope(Buffer.alloc(0));
  private keyBytes = 0;
  private untilCheck = BUDGET_CHECK_INTERVAL;

  constructor(run: PipelineRun, input: DocumentSource, specification: GroupSpecification) {
    super(run.yielder, input);
    this.specification = specification;
    this.context = run.context;
  }

  protected take(document: Buffer): void {
    const { scope } = this;
    scope.document = document;
    const id = this.specification.id.evaluate(scope) ?? NULL;
    const key = canonicalKey(id, this.context.collator);
    let group = this.groups.get(key);
    if (group === undefined) {
      group = this.newGroup(id);
      this.groups.set(key, group);
      this.keyBytes += key.length + id.end - id.start;
    }
    for (const accumulator of group.accumulators) accumulator.accept(scope);
    this.untilCheck -= 1;
    if (this.untilCheck === 0) this.checkBudget();
  }

  private newGroup(id: RawValue): Group {
    return {
      id,
      accumulators: this.specification.fields.map((field) => field.accumulator.create()),
    };
  }

  private checkBudget(): void {
    this.untilCheck = BUDGET_CHECK_INTERVAL;
    const perGroup =
      GROUP_OVERHEAD_BYTES + this.specification.fields.length * ACCUMULATOR_OVERHEAD_BYTES;
    let bytes = this.keyBytes + this.groups.size * perGroup;
    if (bytes <= MAX_GROUP_BYTES) bytes += this.heldBytes();
    if (bytes <= MAX_GROUP_BYTES) return;
    throw new CommandError(
      'QueryExceededMemoryLimitNoDiskUseAllowed',
      "Exceeded memory limit for $group, but didn't allow external sort. Pass allowDiskUse:true to opt in.",
    );
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

  protected finish(): Iterator<Buffer> {
    return this.results();
  }

  private *results(): Generator<Buffer> {
    const builder = new DocumentBuilder();
    for (const group of this.groups.values()) {
      builder.clear();
      builder.append('_id', group.id);
      group.accumulators.forEach((accumulator, index) => {
        builder.append(this.specification.fields[index].name, accumulator.result() ?? NULL);
      });
      yield builder.finish();
    }
    this.groups.clear();
  }
}

/** One field of a $group: {name: {$accumulator: argument}}. */
export function compileGroupField(
  name: string,
  value: RawValue,
  context: QueryContext,
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
  return { name, accumulator: definition.compile(argument, context) };
}

export function groupStage(
  name: string,
  specification: GroupSpecification,
  shown: Buffer,
): PipelineStage {
  const paths = pathsOf(specification);
  return {
    name,
    nature: { kind: 'other' },
    shown,
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

export const $group = defineStage({
  name: '$group',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    if (argument.type !== BsonType.object) {
      throw new CommandError(15947, "a group's fields must be specified in an object");
    }
    let id: Expression | undefined;
    const fields: GroupField[] = [];
    for (const [name, value] of fieldsOf(argument.asDocument())) {
      if (name === '_id') {
        if (id !== undefined)
          throw new CommandError(15948, "a group's _id may only be specified once");
        id = compileExpression(value, context);
      } else if (name !== '$doingMerge') fields.push(compileGroupField(name, value, context));
    }
    if (id === undefined) {
      throw new CommandError(15955, 'a group specification must include an _id');
    }
    return [groupStage('$group', { id, fields }, shown)];
  },
});

/**
 * $densify: adds documents so that a field goes in even steps.
 */
import {
  BsonType,
  canonicalKey,
  compareValues,
  dateValue,
  doubleValue,
  EMPTY_DOCUMENT,
  int32Value,
  int64Value,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { addNumbers, multiplyNumbers } from '../../arithmetic.ts';
import { elementsOf } from '../../expression/elements.ts';
import { splitFieldPath, valueAtPath } from '../../expression/field-path.ts';
import { type TimeUnit, parseTimeUnit } from '../../expression/operators/date-arguments.ts';
import { addUnits } from '../../expression/operators/date-arithmetic.ts';
import { UTC } from '../../expression/operators/time-zone.ts';
import { isNullish } from '../../expression/types.ts';
import { ownedDocument } from '../../owned.ts';
import { stageArguments } from '../arguments.ts';
import { defineStage, type PipelineRun } from '../definition.ts';
import { withPath } from '../document-path.ts';
import { BlockingSource, type DocumentSource } from '../source.ts';

/** Most documents that one stage adds. */
const MAX_ADDED = 500_000;
const ROW_OVERHEAD_BYTES = 150;

type Bounds = 'full' | 'partition' | readonly [RawValue, RawValue];

interface Specification {
  readonly path: readonly string[];
  readonly partitionPaths: readonly (readonly string[])[];
  readonly step: RawValue;
  readonly unit: TimeUnit | undefined;
  readonly bounds: Bounds;
}

interface Row {
  readonly value: RawValue;
  readonly document: Buffer;
}

class DensifySource extends BlockingSource {
  private readonly specification: Specification;
  private readonly maxBytes: number;
  private readonly partitions = new Map<string, Row[]>();
  /** Without the field: they pass as they are, before all others. */
  private readonly others: Buffer[] = [];
  private added = 0;
  private bytes = 0;

  constructor(run: PipelineRun, input: DocumentSource, specification: Specification) {
    super(run.yielder, input);
    this.maxBytes = run.maxStageBytes;
    this.specification = specification;
  }

  protected take(given: Buffer): void {
    const document = ownedDocument(given);
    const { path, unit } = this.specification;
    this.bytes += document.length + ROW_OVERHEAD_BYTES;
    if (this.bytes > this.maxBytes) {
      throw new CommandError(
        'ExceededMemoryLimit',
        'Exceeded memory limit for $densify: too many documents in its partitions',
      );
    }
    const value = valueAtPath(document, path, 0);
    if (isNullish(value)) {
      this.others.push(document);
      return;
    }
    const fits = unit === undefined ? value.isNumber : value.type === BsonType.date;
    if (!fits) {
      throw new CommandError(
        unit === undefined ? 5733201 : 6053600,
        unit === undefined
          ? `Densify field type must be numeric or a date with a unit, not ${value.typeName}`
          : '$densify stage with a unit requires that the field is a date',
      );
    }
    const key = this.partitionKey(document);
    const rows = this.partitions.get(key);
    if (rows === undefined) this.partitions.set(key, [{ value, document }]);
    else rows.push({ value, document });
  }

  private partitionKey(document: Buffer): string {
    return this.specification.partitionPaths
      .map((path) => canonicalKey(valueAtPath(document, path, 0)))
      .map((key) => `${key.length}:${key}`)
      .join('');
  }

  protected finish(): Iterator<Buffer> {
    return this.results();
  }

  private *results(): Generator<Buffer> {
    yield* this.others;
    const partitions = [...this.partitions.values()];
    for (const rows of partitions) rows.sort((a, b) => compareValues(a.value, b.value));
    const full = this.specification.bounds === 'full' ? extremes(partitions) : undefined;
    for (const rows of partitions) yield* this.densified(rows, full);
  }

  private *densified(
    rows: readonly Row[],
    full: readonly [RawValue, RawValue] | undefined,
  ): Generator<Buffer> {
    const { bounds, path } = this.specification;
    const explicit = typeof bounds === 'string' ? undefined : bounds;
    const [first, last] = explicit ?? full ?? [rows[0].value, rows.at(-1)!.value];
    const shape = this.partitionShape(rows[0].document);
    let next = 0;
    for (let steps = 0; ; steps += 1) {
      const value = this.valueAfter(first, steps);
      const order = compareValues(value, last);
      // An explicit range ends before its upper bound, the others with their last value.
      if (order > 0 || (order === 0 && explicit !== undefined)) break;
      while (next < rows.length && compareValues(rows[next].value, value) < 0) {
        yield rows[next].document;
        next += 1;
      }
      const isThere = next < rows.length && compareValues(rows[next].value, value) === 0;
      if (isThere) continue;
      this.countAdded();
      yield withPath(shape, path, value);
    }
    for (; next < rows.length; next += 1) yield rows[next].document;
  }

  /** An added document has its partition's fields and the value. */
  private partitionShape(document: Buffer): Buffer {
    let shape: Buffer = EMPTY_DOCUMENT;
    for (const path of this.specification.partitionPaths) {
      const value = valueAtPath(document, path, 0);
      if (value !== undefined) shape = withPath(shape, path, value);
    }
    return shape;
  }

  private valueAfter(first: RawValue, steps: number): RawValue {
    const { step, unit } = this.specification;
    if (unit !== undefined) {
      return dateValue(addUnits(first.asDateMs(), unit, steps * step.asNumber(), UTC));
    }
    const whole = int64Value(BigInt(steps));
    const distance = steps === 0 ? undefined : multiplyNumbers(step, narrow(step, whole));
    const value = distance === undefined ? first : addNumbers(first, distance);
    return value ?? doubleValue(first.asNumber() + steps * step.asNumber());
  }

  private countAdded(): void {
    this.added += 1;
    if (this.added <= MAX_ADDED) return;
    throw new CommandError(
      5897900,
      `Generated ${MAX_ADDED} documents in $densify, which is over the limit`,
    );
  }

  override close(): void {
    this.partitions.clear();
    super.close();
  }
}

/** The count in the step's own type, so that an int stays an int. */
function narrow(step: RawValue, count: RawValue): RawValue {
  return step.type === BsonType.int32 ? int32Value(count.asNumber()) : count;
}

function extremes(
  partitions: readonly (readonly Row[])[],
): readonly [RawValue, RawValue] | undefined {
  let low: RawValue | undefined;
  let high: RawValue | undefined;
  for (const rows of partitions) {
    const first = rows[0].value;
    const last = rows.at(-1)!.value;
    if (low === undefined || compareValues(first, low) < 0) low = first;
    if (high === undefined || compareValues(last, high) > 0) high = last;
  }
  return low === undefined || high === undefined ? undefined : [low, high];
}

function parseDensify(argument: RawValue): Specification {
  const given = stageArguments('$densify', argument, ['field', 'partitionByFields', 'range']);
  const field = given.get('field')?.asString();
  const rangeValue = given.get('range');
  if (field === undefined || rangeValue === undefined) {
    throw new CommandError(
      'IDLFailedToParse',
      "BSON field '$densify.field' and '$densify.range' are required fields",
    );
  }
  const range = stageArguments('$densify', rangeValue, ['step', 'unit', 'bounds']);
  const step = range.get('step');
  if (step === undefined || !step.isNumber || step.asNumber() <= 0) {
    throw new CommandError(
      5733401,
      'The step parameter in a range statement must be a strictly positive numeric value',
    );
  }
  const unitValue = range.get('unit');
  const unit = unitValue === undefined ? undefined : parseTimeUnit(unitValue.asString());
  if (unit !== undefined && !Number.isInteger(step.asNumber())) {
    throw new CommandError(
      6586400,
      'The step parameter in a range satement must be a whole number when densifying a date range',
    );
  }
  const partition = given.get('partitionByFields');
  return {
    path: splitFieldPath(field),
    partitionPaths:
      partition === undefined
        ? []
        : elementsOf(partition).map((path) => splitFieldPath(path.asString())),
    step,
    unit,
    bounds: parseBounds(range.get('bounds'), partition !== undefined),
  };
}

function parseBounds(value: RawValue | undefined, hasPartitions: boolean): Bounds {
  if (value?.type === BsonType.array) {
    const [low, high, ...more] = elementsOf(value);
    if (low === undefined || high === undefined || more.length > 0) {
      throw new CommandError(
        5733403,
        'a bounding array in a range statement must have exactly two elements',
      );
    }
    if (compareValues(low, high) > 0) {
      throw new CommandError(5733402, 'the bounds in a range statement must be in ascending order');
    }
    return [low, high];
  }
  const word = value?.asString();
  if (word === 'full') return 'full';
  if (word !== 'partition') {
    throw new CommandError(5946802, "Bounds in a range must be an array, 'full' or 'partition'");
  }
  if (hasPartitions) return 'partition';
  throw new CommandError(
    5733408,
    "one may not specify the bounds as 'partition' without specifying a non-empty array of partitionByFields. You may have meant to specify 'full' bounds.",
  );
}

export const $densify = defineStage({
  name: '$densify',
  position: 'anywhere',
  parse: (argument, _parser, shown) => {
    const specification = parseDensify(argument);
    return [
      {
        name: '$densify',
        nature: { kind: 'other' },
        shown,
        open: (input, run) => new DensifySource(run, input, specification),
      },
    ];
  },
});

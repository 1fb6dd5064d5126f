/**
 * $densify: adds documents so that a field goes in even steps.
 *
 * Documents are sorted by the field, within their partitions unless the range is that of all of them. Each value that is
 * added is the one before plus the step, so that rounding, and days that a month does not have, carry over.
 */
import {
  BsonType,
  canonicalKey,
  compareValues,
  compileSort,
  dateValue,
  DocumentBuilder,
  doubleValue,
  EMPTY_DOCUMENT,
  getField,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { addNumbers } from '../../arithmetic.ts';
import { Sorter } from '../../executor/sorter.ts';
import type { Value } from '../../expression/definition.ts';
import { elementsOf } from '../../expression/elements.ts';
import { splitFieldPath, valueAtPath } from '../../expression/field-path.ts';
import { type TimeUnit, parseTimeUnit } from '../../expression/operators/date-arguments.ts';
import { addUnits } from '../../expression/operators/date-arithmetic.ts';
import { UTC } from '../../expression/operators/time-zone.ts';
import { isNullish } from '../../expression/types.ts';
import { ownedValue } from '../../owned.ts';
import { idlArguments } from '../arguments.ts';
import { defineStage, type PipelineRun } from '../definition.ts';
import { withPath } from '../document-path.ts';
import { BlockingSource, type DocumentSource } from '../source.ts';

/** Most documents that one stage adds. */
const MAX_ADDED = 500_000;
/** What a partition costs besides its key and its fields. Estimated. */
const PARTITION_OVERHEAD_BYTES = 150;

type Bounds = 'full' | 'partition' | readonly [RawValue, RawValue];

interface Specification {
  readonly path: readonly string[];
  readonly partitionPaths: readonly (readonly string[])[];
  readonly step: RawValue;
  readonly unit: TimeUnit | undefined;
  readonly bounds: Bounds;
}

/** How far the documents of one partition have come. */
interface Progress {
  /** The fields that added documents have of their partition. */
  readonly shape: Buffer;
  /** The value to add next, if no document has it. */
  next: RawValue;
}

class DensifySource extends BlockingSource {
  private readonly run: PipelineRun;
  private readonly specification: Specification;
  private readonly sorter: Sorter;
  private readonly partitions = new Map<string, Progress>();
  private added = 0;
  private bytes = 0;

  constructor(run: PipelineRun, input: DocumentSource, specification: Specification) {
    super(run.yielder, input);
    this.run = run;
    this.specification = specification;
    this.sorter = new Sorter({
      order: compileSort(sortPattern(specification), run.context.collator),
      limit: 0,
      spill: run.spill,
      maxMemoryBytes: run.maxStageBytes,
    });
  }

  protected take(document: Buffer): void {
    this.sorter.add(document, 0);
  }

  protected finish(): Iterator<Buffer> {
    if (this.sorter.usedDisk) this.run.statistics.usedDisk = true;
    const { bounds } = this.specification;
    return typeof bounds === 'string' ? this.between(bounds) : this.within(...bounds);
  }

  private *sorted(): Generator<Buffer> {
    const rows = this.sorter.sorted();
    for (let next = rows.next(); next.done !== true; next = rows.next()) yield next.value.document;
    this.sorter.close();
  }

  /** From the least to the greatest value, of all documents or of each partition. */
  private *between(bounds: 'full' | 'partition'): Generator<Buffer> {
    let least: RawValue | undefined;
    let greatest: RawValue | undefined;
    let isOnStep = false;
    for (const document of this.sorted()) {
      const value = this.fieldOf(document);
      if (value === undefined) {
        yield document;
        continue;
      }
      const from = bounds === 'full' ? least : undefined;
      least ??= value;
      // A second document with the greatest value finds its partition's next step beyond it.
      const isGreatestAgain = greatest !== undefined && compareValues(greatest, value) === 0;
      greatest = value;
      let progress = this.progressOf(document);
      if (progress === undefined) {
        progress = this.begin(document, from ?? value);
      }
      yield* this.addedBefore(progress, value);
      const isNext = compareValues(progress.next, value) === 0;
      if (isNext) progress.next = this.stepFrom(value);
      isOnStep = isNext || (isOnStep && isGreatestAgain);
      yield document;
    }
    if (bounds === 'partition' || greatest === undefined) return;
    // Every partition goes as far as the greatest value: that one included if it is one of the steps.
    const end = isOnStep ? this.stepFrom(greatest) : greatest;
    if (this.specification.partitionPaths.length === 0) return;
    for (const progress of this.partitions.values()) yield* this.addedBefore(progress, end);
  }

  /** From `low` on, and below `high`, in each partition; documents out of these bounds pass. */
  private *within(low: RawValue, high: RawValue): Generator<Buffer> {
    for (const document of this.sorted()) {
      const value = this.fieldOf(document);
      if (value !== undefined) {
        const progress = this.progressOf(document) ?? this.begin(document, low);
        const isAbove = compareValues(value, high) >= 0;
        yield* this.addedBefore(progress, isAbove ? high : value);
        if (compareValues(progress.next, value) === 0) progress.next = this.stepFrom(value);
      }
      yield document;
    }
    // Without any document there is no partition, and steps all the same.
    if (this.partitions.size === 0) this.partitions.set('', { shape: EMPTY_DOCUMENT, next: low });
    for (const progress of this.partitions.values()) yield* this.addedBefore(progress, high);
  }

  private *addedBefore(progress: Progress, end: RawValue): Generator<Buffer> {
    while (compareValues(progress.next, end) < 0) {
      this.countAdded();
      const value = progress.next;
      progress.next = this.stepFrom(value);
      yield withPath(progress.shape, this.specification.path, value);
    }
  }

  private stepFrom(value: RawValue): RawValue {
    const { step, unit } = this.specification;
    if (unit !== undefined) {
      return dateValue(addUnits(value.asDateMs(), unit, step.asNumber(), UTC));
    }
    return addNumbers(value, step) ?? doubleValue(value.asNumber() + step.asNumber());
  }

  /** @returns undefined for what is null or not there */
  private fieldOf(document: Buffer): RawValue | undefined {
    const { path, unit } = this.specification;
    const value = nestedField(document, path);
    if (isNullish(value) || value === undefined) return undefined;
    const isDate = value.type === BsonType.date;
    if (!value.isNumber && !isDate) {
      throw new CommandError(5733201, 'Densify field type must be numeric or a date');
    }
    uassert(
      isDate === (unit !== undefined),
      6053600,
      isDate
        ? 'Encountered date densify value in collection when step does not have a date unit.'
        : 'Encountered numeric densify value in collection when step has a date unit.',
    );
    return value;
  }

  private partitionKey(document: Buffer): string {
    return this.specification.partitionPaths
      .map((path) => valueAtPath(document, path, 0))
      .map((value) => (value === undefined ? '' : canonicalKey(value)))
      .map((key) => `${key.length}:${key}`)
      .join('');
  }

  private progressOf(document: Buffer): Progress | undefined {
    return this.partitions.get(this.partitionKey(document));
  }

  private begin(document: Buffer, next: RawValue): Progress {
    const progress = { shape: this.partitionShape(document), next: ownedValue(next) };
    const key = this.partitionKey(document);
    this.bytes += key.length + progress.shape.length + PARTITION_OVERHEAD_BYTES;
    const { maxStageBytes } = this.run;
    uassert(
      this.bytes <= maxStageBytes,
      6007200,
      `$densify exceeded memory limit of ${maxStageBytes}`,
    );
    this.partitions.set(key, progress);
    return progress;
  }

  private partitionShape(document: Buffer): Buffer {
    let shape: Buffer = EMPTY_DOCUMENT;
    for (const path of this.specification.partitionPaths) {
      const value = valueAtPath(document, path, 0);
      if (value !== undefined) shape = withPath(shape, path, value);
    }
    return shape;
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
    this.sorter.close();
    this.partitions.clear();
    super.close();
  }
}

/** The value at a path of objects: one that leads through an array leads nowhere. */
function nestedField(document: Buffer, path: readonly string[]): Value {
  let below = document;
  for (const name of path.slice(0, -1)) {
    const value = getField(below, name);
    if (value?.type !== BsonType.object) return undefined;
    below = value.asDocument();
  }
  return getField(below, path.at(-1)!);
}

function sortPattern({ path, partitionPaths, bounds }: Specification): Buffer {
  const pattern = new DocumentBuilder();
  const partitions = bounds === 'full' ? [] : partitionPaths;
  for (const each of [...partitions, path]) pattern.appendInt32(each.join('.'), 1);
  return pattern.finish();
}

function parseDensify(argument: RawValue): Specification {
  const given = idlArguments('$densify', argument, {
    'field!': 'string',
    partitionByFields: 'array of strings',
    'range!': 'object',
  });
  const range = idlArguments('$densify.range', given.get('range')!, {
    'step!': 'number',
    unit: 'string',
    'bounds!': 'any',
  });
  const step = range.get('step')!;
  uassert(
    step.asNumber() > 0,
    5733401,
    'The step parameter in a range statement must be a strictly positive numeric value',
  );
  const unitName = range.get('unit')?.asString();
  uassert(
    unitName === undefined || Number.isInteger(step.asNumber()),
    6586400,
    'The step parameter in a range statement must be a whole number when densifying a date range',
  );
  const unit = unitName === undefined ? undefined : parseTimeUnit(unitName);
  const bounds = parseBounds(range.get('bounds')!, step, unit);
  const names = elementsOfOrNone(given.get('partitionByFields')).map((name) => name.asString());
  const partitionPaths = names.map((name) => splitFieldPath(name));
  const field = given.get('field')!.asString();
  const path = splitFieldPath(field);
  uassert(
    bounds !== 'partition' || names.length > 0,
    5733408,
    "One cannot specify the bounds as 'partition' without specifying a non-empty array of partitionByFields. You may have meant to specify 'full' bounds.",
  );
  for (const name of names) checkPartition(name, field);
  return { path, partitionPaths, step, unit, bounds };
}

function elementsOfOrNone(value: RawValue | undefined): readonly RawValue[] {
  return value === undefined ? [] : elementsOf(value);
}

function checkPartition(name: string, field: string): void {
  uassert(
    name !== field && !name.startsWith(`${field}.`),
    8993000,
    `BSON field '$densify.partitionByFields' contains the field that is being densified: ${field}`,
  );
  uassert(
    !field.startsWith(`${name}.`),
    9554500,
    `The field that is being densified contains the BSON field '$densify.partitionByFields': ${name}`,
  );
}

function parseBounds(value: RawValue, step: RawValue, unit: TimeUnit | undefined): Bounds {
  if (value.type === BsonType.array) return parseRange(elementsOf(value), step, unit);
  uassert(
    value.type === BsonType.string,
    5733404,
    "The bounds in a range statement must be the string 'full', 'partition', or an ascending array of two numbers or two dates",
  );
  const word = value.asString();
  if (word === 'full' || word === 'partition') return word;
  throw new CommandError(5946802, "Bounds string must either be 'full' or 'partition'");
}

function parseRange(
  elements: readonly RawValue[],
  step: RawValue,
  unit: TimeUnit | undefined,
): Bounds {
  const [low, high, ...more] = elements;
  if (low === undefined || high === undefined || more.length > 0) {
    throw new CommandError(
      5733403,
      'A bounding array in a range statement must have exactly two elements',
    );
  }
  uassert(
    compareValues(low, high) <= 0,
    5733402,
    'A bounding array must be an ascending array of either two dates or two numbers',
  );
  const BOTH = 'A bounding array must contain either both dates or both numeric types';
  if (low.isNumber) {
    uassert(unit === undefined, 5733409, 'Numeric bounds may not have unit parameter');
    uassert(high.isNumber, 5733406, BOTH);
    uassert(
      low.type === high.type && low.type === step.type,
      5876900,
      'Upper bound, lower bound, and step must all have the same type',
    );
    return [low, high];
  }
  uassert(low.type === BsonType.date, 5946800, 'Explicit bounds must be numeric or dates');
  uassert(high.type === BsonType.date, 5733405, BOTH);
  uassert(unit !== undefined, 5733410, 'A bounding array of dates must specify a unit');
  return [low, high];
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

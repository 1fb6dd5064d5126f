/**
 * $bucketAuto: ranges chosen so that each holds about as many documents.
 */
import {
  BsonType,
  compareValues,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  documentOf,
  fieldsOf,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { Accumulator } from '../../accumulator/definition.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Expression } from '../../expression/expression.ts';
import { int32Of } from '../../expression/integers.ts';
import { Scope } from '../../expression/scope.ts';
import { type SortedRow, Sorter } from '../../executor/sorter.ts';
import { ScriptFolds } from '../../script/script-folds.ts';
import { defineStage, type PipelineRun } from '../definition.ts';
import { granularityRounder, type GranularityRounder } from '../granularity.ts';
import { AGAIN, BlockingSource, type BlockingOutput, type DocumentSource } from '../source.ts';
import { checkGroupBy, defaultOutput, outputFields } from './bucket.ts';
import { type GroupField, groupEvaluation } from './group.ts';

interface Specification {
  readonly groupBy: Expression;
  readonly buckets: number;
  readonly rounder: GranularityRounder | undefined;
  readonly fields: readonly GroupField[];
}

/** Rows in the order of their keys; a bucket takes about as many of them as any other, and never parts equal keys. */
class BucketAutoSource extends BlockingSource {
  private readonly run: PipelineRun;
  private readonly specification: Specification;
  private readonly scope = new Scope(EMPTY_DOCUMENT);
  private readonly sorter: Sorter;
  private readonly folds: ScriptFolds | undefined;
  private count = 0;

  constructor(run: PipelineRun, input: DocumentSource, specification: Specification) {
    super(run.yielder, input);
    this.run = run;
    this.specification = specification;
    const { collator } = run.context;
    this.sorter = new Sorter({
      order: {
        keyOf: (document) => [this.keyOf(document)],
        compare: ([a], [b]) => compareValues(a, b, collator),
      },
      limit: 0,
      spill: run.spill,
      maxMemoryBytes: run.maxStageBytes,
    });
    const isScripted = specification.fields.some((field) => field.accumulator.isScripted === true);
    this.folds = isScripted ? new ScriptFolds(run) : undefined;
  }

  protected take(document: Buffer): void {
    this.sorter.add(document, 0);
    this.count += 1;
  }

  private keyOf(document: Buffer): RawValue {
    this.scope.document = document;
    const key = this.specification.groupBy.evaluate(this.scope) ?? NULL;
    if (this.specification.rounder !== undefined) checkRounded(key);
    return key;
  }

  protected finish(): Iterator<BlockingOutput> {
    if (this.sorter.usedDisk) this.run.statistics.usedDisk = true;
    return this.bucketsOf();
  }

  private *bucketsOf(): Generator<BlockingOutput> {
    const { rounder, buckets, fields } = this.specification;
    const { collator } = this.run.context;
    const rows = this.sorter.sorted();
    const size = Math.max(1, Math.round(this.count / buckets));
    let next = nextRow(rows);
    let previousMax: RawValue | undefined;
    for (let number = 1; next !== undefined; number += 1) {
      const isLast = number === buckets;
      const min = rounder === undefined ? next.key : (previousMax ?? rounder.roundDown(next.key));
      const accumulators = fields.map((field) => field.accumulator.create(EMPTY_DOCUMENT));
      let max = next.key;
      let boundary: RawValue | undefined;
      for (let taken = 0; next !== undefined; taken += 1) {
        if (taken >= size && !isLast) {
          boundary ??= rounder?.roundUp(max);
          const belongs =
            compareValues(next.key, max, collator) === 0 ||
            (boundary !== undefined && compareValues(next.key, boundary, collator) < 0);
          if (!belongs) break;
        }
        if (this.yielder.tick()) yield AGAIN;
        max = next.key;
        this.scope.document = next.document;
        for (const accumulator of accumulators) accumulator.accept(this.scope);
        const folding = this.folds?.accepted(accumulators);
        if (folding !== undefined) yield folding.then(() => AGAIN);
        next = nextRow(rows);
      }
      max = upperEnd(rounder, boundary ?? rounder?.roundUp(max) ?? max, next?.key);
      previousMax = max;
      if (this.folds !== undefined) yield* this.folds.finishAll([{ accumulators }]);
      yield this.bucket(min, max, accumulators);
    }
    this.sorter.close();
  }

  private bucket(min: RawValue, max: RawValue, accumulators: readonly Accumulator[]): Buffer {
    const builder = new DocumentBuilder();
    builder.appendDocument('_id', documentOf({ min, max }));
    accumulators.forEach((accumulator, index) => {
      builder.append(this.specification.fields[index]!.name, accumulator.result() ?? NULL);
    });
    return builder.finish();
  }

  override close(): void {
    this.sorter.close();
    super.close();
  }
}

interface KeyedRow {
  readonly key: RawValue;
  readonly document: Buffer;
}

function nextRow(rows: Iterator<SortedRow>): KeyedRow | undefined {
  const next = rows.next();
  if (next.done === true) return undefined;
  return { key: next.value.key[0] ?? NULL, document: next.value.document };
}

/** Without rounding the next bucket's lower end; of the last bucket its own greatest key. */
function upperEnd(
  rounder: GranularityRounder | undefined,
  max: RawValue,
  nextKey: RawValue | undefined,
): RawValue {
  if (nextKey === undefined) return max;
  if (rounder === undefined) return nextKey;
  // A bucket of nothing but zeros ends where the next one begins, rounded.
  return max.asNumber() === 0 ? rounder.roundDown(nextKey) : max;
}

function checkRounded(key: RawValue): void {
  uassert(
    key.isNumber,
    40258,
    `$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a value with type: ${key.typeName}`,
  );
  uassert(
    !Number.isNaN(key.asNumber()),
    40259,
    "$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a NaN",
  );
  uassert(
    key.asNumber() >= 0,
    40260,
    "$bucketAuto can specify a 'granularity' with non-negative numbers only, but found a negative number",
  );
}

function rounderOf(value: RawValue | undefined): GranularityRounder | undefined {
  if (value === undefined) return undefined;
  uassert(
    value.type === BsonType.string,
    40261,
    `The $bucketAuto 'granularity' field must be a string, but found type: ${value.typeName}.`,
  );
  const rounder = granularityRounder(value.asString());
  if (rounder !== undefined) return rounder;
  throw new CommandError(40257, `Unknown rounding granularity '${value.asString()}'`);
}

export const $bucketAuto = defineStage({
  name: '$bucketAuto',
  position: 'anywhere',
  parse: (argument, { context }, shown) => {
    if (argument.type !== BsonType.object) {
      throw new CommandError(
        40240,
        `The argument to $bucketAuto must be an object, but found type: ${argument.typeName}.`,
      );
    }
    const given = new Map(fieldsOf(argument.asDocument()));
    for (const name of given.keys()) {
      if (!['groupBy', 'buckets', 'output', 'granularity'].includes(name)) {
        throw new CommandError(40245, `Unrecognized option to $bucketAuto: ${name}.`);
      }
    }
    const groupBy = given.get('groupBy');
    const bucketsValue = given.get('buckets');
    if (groupBy === undefined || bucketsValue === undefined) {
      throw new CommandError(
        40246,
        "$bucketAuto requires 'groupBy' and 'buckets' to be specified.",
      );
    }
    checkGroupBy('$bucketAuto', 40239, groupBy);
    uassert(
      groupBy.type !== BsonType.string || groupBy.asString() !== '$',
      40239,
      "The $bucketAuto 'groupBy' field must be defined as a $-prefixed path",
    );
    const buckets = int32Of(bucketsValue);
    if (buckets === undefined) {
      throw new CommandError(
        bucketsValue.isNumber ? 40242 : 40241,
        `The $bucketAuto 'buckets' field must be a 32-bit integer, but found type: ${bucketsValue.typeName}.`,
      );
    }
    if (buckets <= 0) {
      throw new CommandError(
        40243,
        `The $bucketAuto 'buckets' field must be greater than 0, but found: ${buckets}.`,
      );
    }
    const fields = outputFields('$bucketAuto', given.get('output'), context);
    const specification: Specification = {
      groupBy: compileExpression(groupBy, context),
      buckets,
      rounder: rounderOf(given.get('granularity')),
      fields: fields.length === 0 ? defaultOutput(context) : fields,
    };
    return [
      {
        name: '$bucketAuto',
        nature: { kind: 'other' },
        shown,
        evaluation: {
          ...groupEvaluation({ id: specification.groupBy, fields: specification.fields }),
          isLate: true,
        },
        open: (input, run) => new BucketAutoSource(run, input, specification),
      },
    ];
  },
});

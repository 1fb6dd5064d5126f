/**
 * $bucketAuto: ranges chosen so that each holds about as many documents.
 */
import {
  BsonType,
  compareValues,
  DocumentBuilder,
  documentOf,
  fieldsOf,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Expression } from '../../expression/expression.ts';
import { int32Of } from '../../expression/integers.ts';
import { Scope } from '../../expression/scope.ts';
import { ownedDocument } from '../../owned.ts';
import { defineStage, type PipelineRun } from '../definition.ts';
import { BlockingSource, type DocumentSource } from '../source.ts';
import { checkGroupBy, outputFields } from './bucket.ts';
import { type GroupField, groupEvaluation } from './group.ts';

const ROW_OVERHEAD_BYTES = 120;

interface Keyed {
  readonly key: RawValue;
  readonly document: Buffer;
}

interface Specification {
  readonly groupBy: Expression;
  readonly buckets: number;
  readonly fields: readonly GroupField[];
}

class BucketAutoSource extends BlockingSource {
  private readonly run: PipelineRun;
  private readonly specification: Specification;
  private readonly scope = new Scope(Buffer.alloc(0));
  private rows: Keyed[] = [];
  private bytes = 0;

  constructor(run: PipelineRun, input: DocumentSource, specification: Specification) {
    super(run.yielder, input);
    this.run = run;
    this.specification = specification;
  }

  protected take(given: Buffer): void {
    const document = ownedDocument(given);
    this.scope.document = document;
    const key = this.specification.groupBy.evaluate(this.scope) ?? NULL;
    this.rows.push({ key, document });
    this.bytes += document.length + ROW_OVERHEAD_BYTES;
    if (this.bytes > this.run.maxStageBytes) {
      throw new CommandError(
        'QueryExceededMemoryLimitNoDiskUseAllowed',
        'Exceeded memory limit for $bucketAuto, but did not allow external sort.',
      );
    }
  }

  protected finish(): Iterator<Buffer> {
    const { collator } = this.run.context;
    this.rows.sort((a, b) => compareValues(a.key, b.key, collator));
    return this.buckets();
  }

  private *buckets(): Generator<Buffer> {
    const { rows } = this;
    const { collator } = this.run.context;
    let start = 0;
    let left = this.specification.buckets;
    while (start < rows.length) {
      const size = Math.max(1, Math.round((rows.length - start) / left));
      let end = left === 1 ? rows.length : Math.min(rows.length, start + size);
      // Equal keys are never parted.
      while (end < rows.length && compareValues(rows[end].key, rows[end - 1].key, collator) === 0) {
        end += 1;
      }
      yield this.bucket(start, end);
      start = end;
      left = Math.max(1, left - 1);
    }
    this.rows = [];
  }

  private bucket(start: number, end: number): Buffer {
    const { rows, scope } = this;
    const { fields } = this.specification;
    const accumulators = fields.map((field) => field.accumulator.create());
    for (const row of rows.slice(start, end)) {
      scope.document = row.document;
      for (const accumulator of accumulators) accumulator.accept(scope);
    }
    // The upper end is the next bucket's lower one; of the last bucket its own greatest key.
    const max = (rows[end] ?? rows[end - 1]).key;
    const builder = new DocumentBuilder();
    builder.appendDocument('_id', documentOf({ min: rows[start].key, max }));
    accumulators.forEach((accumulator, index) => {
      builder.append(fields[index].name, accumulator.result() ?? NULL);
    });
    return builder.finish();
  }
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
    if (given.has('granularity')) {
      throw new CommandError('NotImplemented', '$bucketAuto with granularity is not supported yet');
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
    const specification: Specification = {
      groupBy: compileExpression(groupBy, context),
      buckets,
      fields: outputFields('$bucketAuto', given.get('output'), context),
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

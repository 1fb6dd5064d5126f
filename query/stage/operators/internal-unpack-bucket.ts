/**
 * $_internalUnpackBucket: makes the measurements of a time series out of its buckets.
 *
 * It stands in the definition of every time series collection's view; the planner tells it which fields and which
 * measurements those behind it want (planner/time-series.ts).
 */
import {
  BsonType,
  DocumentBuilder,
  fieldsOf,
  indexName,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { compileFilter } from '../../matcher/compile.ts';
import type { Filter } from '../../matcher/filter.ts';
import { BucketUnpacker } from '../../timeseries/bucket-unpacker.ts';
import type { UnpackSpecification } from '../../timeseries/unpack-specification.ts';
import { defineStage, type PipelineStage } from '../definition.ts';
import { AGAIN, type DocumentSource, PullSource, type SourceStep } from '../source.ts';
import type { Yielder } from '../../executor/yielding.ts';

const NAME = '$_internalUnpackBucket';

class UnpackSource extends PullSource {
  private readonly input: DocumentSource;
  private readonly unpacker: BucketUnpacker;
  private readonly filter: Filter | undefined;

  constructor(
    yielder: Yielder,
    input: DocumentSource,
    specification: UnpackSpecification,
    filter: Filter | undefined,
  ) {
    super(yielder);
    this.input = input;
    const { timeField, metaField, include, exclude, times } = specification;
    this.unpacker = new BucketUnpacker(
      {
        timeField,
        metaField,
        include: include === undefined ? undefined : new Set(include),
        exclude: new Set(exclude),
      },
      times,
    );
    this.filter = filter;
  }

  protected step(): SourceStep {
    const { unpacker, filter } = this;
    for (;;) {
      if (this.yielder.tick()) return AGAIN;
      const measurement = unpacker.next();
      if (measurement === undefined) {
        const bucket = this.input.next();
        if (bucket === undefined) return undefined;
        if (bucket instanceof Promise) return this.later(bucket);
        unpacker.reset(bucket);
      } else if (filter === undefined || filter.matches(measurement)) return measurement;
    }
  }

  private async later(bucket: Promise<Buffer | undefined>): Promise<undefined | typeof AGAIN> {
    const loaded = await bucket;
    if (loaded === undefined) return undefined;
    this.unpacker.reset(loaded);
    return AGAIN;
  }

  close(): void {
    this.input.close();
  }
}

/** The stage for what a client or the planner asks. */
export function unpackStage(
  specification: UnpackSpecification,
  context: QueryContext,
): PipelineStage {
  const { eventFilter } = specification;
  return {
    name: NAME,
    nature: { kind: 'unpack', unpack: specification },
    shown: shown(specification),
    open: (input, run) =>
      new UnpackSource(
        run.yielder,
        input,
        specification,
        eventFilter === undefined ? undefined : compileFilter(eventFilter, context),
      ),
  };
}

function shown(specification: UnpackSpecification): Buffer {
  const { include, exclude, timeField, metaField, bucketMaxSpanSeconds, eventFilter } =
    specification;
  const builder = new DocumentBuilder().beginDocument(NAME);
  builder.beginArray(include === undefined ? 'exclude' : 'include');
  for (const [index, name] of (include ?? exclude).entries()) {
    builder.appendString(indexName(index), name);
  }
  builder.end().appendString('timeField', timeField);
  if (metaField !== undefined) builder.appendString('metaField', metaField);
  builder.appendInt32('bucketMaxSpanSeconds', bucketMaxSpanSeconds);
  if (eventFilter !== undefined) builder.appendDocument('eventFilter', eventFilter);
  return builder.end().finish();
}

export const $_internalUnpackBucket = defineStage({
  name: NAME,
  position: 'anywhere',
  parse: (argument, { context }) => {
    uassert(
      argument.type === BsonType.object,
      5_346_500,
      `${NAME} specification must be an object, got: ${argument.typeName}`,
    );
    const given = new Map(fieldsOf(argument.asDocument()));
    for (const name of given.keys()) {
      if (!KNOWN.has(name)) {
        throw new CommandError(5_346_506, `unrecognized parameter to unpack stage: ${name}`);
      }
    }
    const include = namesIn(given.get('include'));
    const exclude = namesIn(given.get('exclude'));
    uassert(
      include === undefined || exclude === undefined,
      5_408_000,
      `${NAME} stage requires 'include' or 'exclude', not both`,
    );
    const timeField = given.get('timeField');
    uassert(
      timeField?.type === BsonType.string,
      5_346_508,
      `${NAME} stage requires a timeField parameter`,
    );
    const span = given.get('bucketMaxSpanSeconds');
    uassert(
      span?.isNumber === true && span.asNumber() > 0,
      5_510_600,
      `${NAME} stage requires a bucketMaxSpanSeconds parameter`,
    );
    const metaField = given.get('metaField');
    const eventFilter = given.get('eventFilter');
    const specification: UnpackSpecification = {
      timeField: timeField.asString(),
      metaField: metaField?.type === BsonType.string ? metaField.asString() : undefined,
      bucketMaxSpanSeconds: span.asNumber(),
      include,
      exclude: exclude ?? [],
      eventFilter: eventFilter?.type === BsonType.object ? eventFilter.asDocument() : undefined,
      times: undefined,
    };
    return [unpackStage(specification, context)];
  },
});

const KNOWN: ReadonlySet<string> = new Set([
  'include',
  'exclude',
  'timeField',
  'metaField',
  'bucketMaxSpanSeconds',
  'assumeNoMixedSchemaData',
  'usesExtendedRange',
  'eventFilter',
]);

function namesIn(value: RawValue | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  uassert(
    value.type === BsonType.array,
    5_346_501,
    `include or exclude field must be an array, got: ${value.typeName}`,
  );
  return Array.from(fieldsOf(value.asDocument()), ([, name]) => {
    uassert(
      name.type === BsonType.string,
      5_346_502,
      `include or exclude field element must be a string, got: ${name.typeName}`,
    );
    return name.asString();
  });
}

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
import { tassert, uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { compileFilter } from '../../matcher/compile.ts';
import type { Filter } from '../../matcher/filter.ts';
import { BucketUnpacker } from '../../timeseries/bucket-unpacker.ts';
import { bucketParts, timesOfBucket } from '../../timeseries/bucket-layout.ts';
import type { BucketOrder, UnpackSpecification } from '../../timeseries/unpack-specification.ts';
import { defineStage, type PipelineRun, type PipelineStage } from '../definition.ts';
import { AGAIN, type DocumentSource, PullSource, type SourceStep } from '../source.ts';
import type { Yielder } from '../../executor/yielding.ts';

const NAME = '$_internalUnpackBucket';

/** Where the buckets of a running pipeline are: for the sort behind them. */
const BOUNDS = new WeakMap<PipelineRun['pipeline'], () => number>();

/** Gives the least time, times the direction of the order, that a measurement to come can have. Milliseconds. */
export function bucketBoundOf(run: PipelineRun): () => number {
  const bound = BOUNDS.get(run.pipeline);
  tassert(bound !== undefined, 'a bounded sort without buckets in order');
  return bound;
}

class UnpackSource extends PullSource {
  /** See bucketBoundOf. */
  bound = -Infinity;
  private readonly specification: UnpackSpecification;
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
    this.specification = specification;
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
        this.begin(bucket);
      } else if (filter === undefined || filter.matches(measurement)) return measurement;
    }
  }

  private async later(bucket: Promise<Buffer | undefined>): Promise<undefined | typeof AGAIN> {
    const loaded = await bucket;
    if (loaded === undefined) return undefined;
    this.begin(loaded);
    return AGAIN;
  }

  private begin(bucket: Buffer): void {
    this.unpacker.reset(bucket);
    if (this.specification.bucketOrder !== undefined) {
      this.bound = boundAt(bucket, this.specification, this.specification.bucketOrder);
    }
  }

  close(): void {
    this.input.close();
  }
}

const MAX_ID_SECONDS = 0xffff_ffff;

/** What a bucket says of all times from it on, itself included. */
function boundAt(
  bucket: Buffer,
  { timeField, bucketMaxSpanSeconds }: UnpackSpecification,
  { direction, by }: BucketOrder,
): number {
  const parts = bucketParts(bucket);
  const spanMs = bucketMaxSpanSeconds * 1000;
  if (by === 'min') {
    const minMs =
      timesOfBucket(parts, timeField)?.minMs ?? (direction === 1 ? -Infinity : Infinity);
    return direction === 1 ? minMs : -(minMs + spanMs);
  }
  // The seconds of an _id are held within four bytes: at both ends they stand for all times beyond.
  const seconds =
    parts.id.type === BsonType.objectId ? parts.id.bytes.readUInt32BE(parts.id.start) : 0;
  if (direction === 1) return seconds === 0 ? -Infinity : seconds * 1000;
  return seconds === MAX_ID_SECONDS ? -Infinity : -((seconds + 1) * 1000 + spanMs);
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
    open: (input, run) => {
      const filter = eventFilter === undefined ? undefined : compileFilter(eventFilter, context);
      const source = new UnpackSource(run.yielder, input, specification, filter);
      if (specification.bucketOrder !== undefined) BOUNDS.set(run.pipeline, () => source.bound);
      return source;
    },
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

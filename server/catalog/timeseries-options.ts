/**
 * The option `timeseries` of create and collMod: how it is read, checked and stored.
 *
 * Source: MongoDB's manual, "create": timeseries; "collMod": timeseries.
 */
import { documentValue, type RawValue } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import {
  GRANULARITIES,
  type Granularity,
  roundingOfGranularity,
  spanOfGranularity,
  timeseriesDocument,
  type TimeseriesOptions,
} from '../../query/index.ts';
import type { CommandBody } from '../command/command-body.ts';
import { nestedBody } from '../command/nested-body.ts';
import { namespaceOf } from './namespace.ts';

/** A year. */
const MAX_SPAN_SECONDS = 31_536_000;

/** What create may say of a time series collection besides `timeseries`. */
const COMPATIBLE: ReadonlySet<string> = new Set([
  'timeseries',
  'storageEngine',
  'indexOptionDefaults',
  'collation',
  'expireAfterSeconds',
]);

/** @returns what is stored; undefined when the client did not ask for a time series collection. */
export function readTimeseries(body: CommandBody): RawValue | undefined {
  const given = body.document('timeseries', undefined);
  if (given === undefined) return undefined;
  const namespace = namespaceOf(body.database, body.target.asString());
  return parseTimeseries(nestedBody('create.timeseries', given, body), namespace);
}

/** @param options the fields of `timeseries`. @returns what is stored. @throws CommandError InvalidOptions, BadValue */
export function parseTimeseries(options: CommandBody, namespace: string): RawValue {
  const timeField = options.string('timeField');
  const metaField = options.string('metaField', undefined);
  const granularity = granularityIn(options);
  const spanSeconds = secondsIn(options, 'bucketMaxSpanSeconds');
  const roundingSeconds = secondsIn(options, 'bucketRoundingSeconds');
  options.rejectUnknownFields();
  checkFieldName(namespace, 'timeField', timeField);
  if (metaField !== undefined) {
    refuseUnless(metaField !== '_id', `'metaField' cannot be "_id"`);
    refuseUnless(metaField !== timeField, "'metaField' cannot be the same as 'timeField'");
    checkFieldName(namespace, 'metaField', metaField);
  }
  const bucketing = bucketingOf(granularity, spanSeconds, roundingSeconds);
  return documentValue(timeseriesDocument({ timeField, metaField, ...bucketing }));
}

/** @param names of all options that create was given, and are not their default. */
export function checkTimeseriesCombination(namespace: string, names: Iterable<string>): void {
  for (const name of names) {
    refuseUnless(COMPATIBLE.has(name), `${namespace}: 'timeseries' is not allowed with '${name}'`);
  }
}

function refuseUnless(condition: boolean, message: string): void {
  uassert(condition, 'InvalidOptions', message);
}

function checkFieldName(namespace: string, option: string, name: string): void {
  refuseUnless(
    !name.includes('.'),
    `${namespace}: '${option}' must be a top-level field and not contain a '.'`,
  );
  refuseUnless(name !== '', `${namespace}: '${option}' cannot be empty`);
  uassert(!name.includes('\0'), 'BadValue', `'${option}' cannot contain a null byte`);
}

function granularityIn(options: CommandBody): Granularity | undefined {
  const given = options.string('granularity', undefined);
  const granularity = GRANULARITIES.find((each) => each === given);
  if (given === undefined || granularity !== undefined) return granularity;
  throw new CommandError(
    'BadValue',
    `Enumeration value '${given}' for field '${options.command}.granularity' is not a valid value.`,
  );
}

function secondsIn(options: CommandBody, name: string): number | undefined {
  const seconds = options.integer(name, undefined);
  if (seconds === undefined) return undefined;
  if (seconds < 1) throw options.outOfRange(name, '>= 1', seconds);
  if (seconds > MAX_SPAN_SECONDS) throw options.outOfRange(name, `<= ${MAX_SPAN_SECONDS}`, seconds);
  return seconds;
}

type Bucketing = Pick<
  TimeseriesOptions,
  'granularity' | 'bucketMaxSpanSeconds' | 'bucketRoundingSeconds'
>;

/** Granularity and seconds say the same in two ways: seconds beside a granularity must be the granularity's. */
function bucketingOf(
  given: Granularity | undefined,
  spanSeconds: number | undefined,
  roundingSeconds: number | undefined,
): Bucketing {
  if (given === undefined && (spanSeconds !== undefined || roundingSeconds !== undefined)) {
    refuseUnless(
      spanSeconds !== undefined && roundingSeconds !== undefined,
      "Timeseries 'bucketMaxSpanSeconds' and 'bucketRoundingSeconds' need to be set alongside each other",
    );
    refuseUnless(
      spanSeconds === roundingSeconds,
      "Timeseries 'bucketRoundingSeconds' needs to be equal to 'bucketMaxSpanSeconds'",
    );
    const seconds = spanSeconds ?? MAX_SPAN_SECONDS;
    return {
      granularity: undefined,
      bucketMaxSpanSeconds: seconds,
      bucketRoundingSeconds: seconds,
    };
  }
  const granularity = given ?? 'seconds';
  const bucketMaxSpanSeconds = spanOfGranularity(granularity);
  const bucketRoundingSeconds = roundingOfGranularity(granularity);
  checkDefault('bucketMaxSpanSeconds', spanSeconds, bucketMaxSpanSeconds);
  checkDefault('bucketRoundingSeconds', roundingSeconds, bucketRoundingSeconds);
  return { granularity, bucketMaxSpanSeconds, bucketRoundingSeconds };
}

function checkDefault(name: string, given: number | undefined, byDefault: number): void {
  refuseUnless(
    given === undefined || given === byDefault,
    `Timeseries '${name}' is not configurable to a value other than the default of ${byDefault} for the provided granularity`,
  );
}

/** What collMod asks of a time series collection. */
export interface TimeseriesChange {
  readonly granularity: Granularity | undefined;
  readonly spanSeconds: number | undefined;
  readonly roundingSeconds: number | undefined;
}

/** @param body of collMod. @returns undefined when it does not say `timeseries`. */
export function readTimeseriesChange(body: CommandBody): TimeseriesChange | undefined {
  const given = body.document('timeseries', undefined);
  if (given === undefined) return undefined;
  const options = nestedBody('collMod.timeseries', given, body);
  const change: TimeseriesChange = {
    granularity: granularityIn(options),
    spanSeconds: secondsIn(options, 'bucketMaxSpanSeconds'),
    roundingSeconds: secondsIn(options, 'bucketRoundingSeconds'),
  };
  options.rejectUnknownFields();
  return change;
}

/**
 * The options after a change: granularity and span only grow, so that a bucket never spans more than its collection says.
 * @throws CommandError InvalidOptions
 */
export function changedTimeseries(
  current: TimeseriesOptions,
  { granularity, spanSeconds, roundingSeconds }: TimeseriesChange,
): TimeseriesOptions {
  if (granularity !== undefined) {
    const isUpwards =
      current.granularity === undefined
        ? spanOfGranularity(granularity) >= current.bucketMaxSpanSeconds
        : GRANULARITIES.indexOf(granularity) >= GRANULARITIES.indexOf(current.granularity);
    refuseUnless(
      isUpwards,
      "Invalid transition for timeseries.granularity. Can only transition from 'seconds' to 'minutes' or 'minutes' to 'hours'.",
    );
  } else if (spanSeconds === undefined && roundingSeconds === undefined) return current;
  const bucketing = bucketingOf(granularity, spanSeconds, roundingSeconds);
  refuseUnless(
    bucketing.bucketMaxSpanSeconds >= current.bucketMaxSpanSeconds,
    'Invalid transition for timeseries.bucketMaxSpanSeconds. The new value must be greater than or equal to the current one.',
  );
  return { ...current, ...bucketing };
}

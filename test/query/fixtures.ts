/**
 * Shared by the tests of the query floor: documents from plain values, and a context with a fixed clock and random source.
 */
import { deserialize, serialize, type Document } from 'bson';
import { arrayValue, documentValue, getField, type RawValue } from '../../bson/index.ts';
import { ManualClock } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import { SeededRandom } from '../../common/random.ts';
import { simpleContext, type QueryContext } from '../../query/context.ts';

export function testContext(): QueryContext {
  return simpleContext(new ManualClock(), new SeededRandom(1));
}

/** Raw BSON of a plain document. */
export function raw(document: Document): Buffer {
  return Buffer.from(serialize(document, { ignoreUndefined: false }));
}

/** A raw value of a plain value. */
export function rawValue(value: unknown): RawValue {
  const found = getField(raw({ value }), 'value');
  if (found === undefined) throw new Error('the value is not there');
  return found;
}

export function rawDocumentValue(document: Document): RawValue {
  return documentValue(raw(document));
}

export function rawArrayValue(values: readonly unknown[]): RawValue {
  return arrayValue(rawValue(values).asDocument());
}

/** The document with its types: Int32, Long, Double and so on stay what they are. */
export function plain(document: Buffer): Document {
  return deserialize(document, { promoteValues: false, bsonRegExp: true });
}

/** The code of the CommandError that `run` throws; any other outcome fails. */
export function errorCodeOf(run: () => unknown): number {
  return errorOf(run).code;
}

export function errorOf(run: () => unknown): CommandError {
  try {
    run();
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('no error was thrown');
}

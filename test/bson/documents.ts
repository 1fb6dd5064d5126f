/**
 * Raw documents for tests, from plain JavaScript through the npm package bson.
 */
import {
  Binary,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  ObjectId,
  Timestamp,
  serialize,
} from 'bson';

export { Binary, Code, Decimal128, Double, Int32, Long, ObjectId, Timestamp };

/** The BSON of a plain object. */
export function bsonOf(document: object): Buffer {
  return Buffer.from(serialize(document, { ignoreUndefined: false }));
}

/**
 * The driver's results as the plain documents that the format compares: getters read, maps made documents.
 */
import type { BulkWriteResult, Document } from 'mongodb';

/** Further fields of the driver, which the specification has not. */
const OF_THE_DRIVER = new Set(['didUpsert']);

export function plainResult(result: unknown): unknown {
  if (isBulkWriteResult(result)) return bulkWriteResult(result);
  if (result instanceof Map) {
    return Object.fromEntries([...result].map(([key, value]) => [key, plainResult(value)]));
  }
  if (typeof result !== 'object' || result === null) return result;
  if (Object.getPrototypeOf(result) !== Object.prototype) return result;
  const fields = Object.entries(result).filter(([name]) => !OF_THE_DRIVER.has(name));
  return Object.fromEntries(fields.map(([name, value]) => [name, plainResult(value)]));
}

/** The driver exports the class as a type only; that of insertMany is a plain object. */
function isBulkWriteResult(result: unknown): result is BulkWriteResult {
  return (
    typeof result === 'object' && result !== null && result.constructor.name === 'BulkWriteResult'
  );
}

function bulkWriteResult(result: BulkWriteResult): Document {
  const { insertedCount, matchedCount, modifiedCount, deletedCount, upsertedCount } = result;
  const { insertedIds, upsertedIds } = result;
  return {
    insertedCount,
    matchedCount,
    modifiedCount,
    deletedCount,
    upsertedCount,
    insertedIds,
    upsertedIds,
  };
}

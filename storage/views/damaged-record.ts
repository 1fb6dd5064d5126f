/**
 * Names the record that cannot be read in the error that says why, and leads a walk past such records.
 */
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import type { RecordCursor, RecordId } from '../contract.ts';

/** Hears of damage that a walk meets. `recordId`: the record that cannot be read, or the last one before the walk had to end. */
export type OnDamage = (error: CorruptionError, recordId: RecordId) => void;

/** What is wrong with one record, and not with the map of all. */
const PARTS_OF_ONE_RECORD: ReadonlySet<string> = new Set(['page', 'record place']);

/** Whether a walk can go on behind it. */
export function concernsOneRecord({ part }: CorruptionError): boolean {
  return PARTS_OF_ONE_RECORD.has(part);
}

/**
 * Moves a cursor on, past records that are damaged. Behind a damaged part of the record map nobody can find any: the walk ends there.
 * @returns false at the end
 */
export async function nextReadable(cursor: RecordCursor, onDamage: OnDamage): Promise<boolean> {
  for (;;) {
    try {
      return await cursor.next();
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      onDamage(error, cursor.recordId);
      if (!concernsOneRecord(error)) return false;
    }
  }
}

/** The same error for a reader of documents; whatever is neither damage nor a failing disk stays as it is. */
export function damagedRecord(error: unknown, namespace: string, recordId: RecordId): unknown {
  const record = `${namespace}, record ${recordId}`;
  if (error instanceof CorruptionError) {
    const { kind, part, detail, file, offset } = error;
    const message = `${record}: ${detail}`;
    return new CorruptionError(kind, part, message, { cause: error, file, offset });
  }
  if (error instanceof DeviceError) {
    return new DeviceError(error.errno, `${record}: ${error.message}`, { cause: error });
  }
  return error;
}

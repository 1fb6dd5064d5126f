/**
 * Names the record that cannot be read in the error that says why.
 */
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import type { RecordId } from '../contract.ts';

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

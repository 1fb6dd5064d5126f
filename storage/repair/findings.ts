/**
 * Makes findings out of the errors that the parts of a store throw.
 */
import { CorruptionError, type DeviceError } from '../../common/errors.ts';
import type { Finding } from './contract.ts';

export function findingOf(
  error: CorruptionError | DeviceError,
  where: Pick<Finding, 'file' | 'offset' | 'length' | 'namespace' | 'recordIds'>,
): Finding {
  const isCorrupt = error instanceof CorruptionError;
  return {
    severity: 'error',
    kind: isCorrupt ? error.kind : 'unreadable',
    part: isCorrupt ? error.part : 'device',
    ...where,
    message: error.message,
  };
}

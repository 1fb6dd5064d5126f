/**
 * Makes findings out of the errors that the parts of a store throw.
 */
import { CorruptionError, type DeviceError } from '../../common/errors.ts';
import type { Finding } from './contract.ts';

export function findingOf(
  error: CorruptionError | DeviceError,
  where: Pick<Finding, 'offset' | 'length' | 'namespace' | 'recordIds'> & {
    readonly file?: string;
  },
): Finding {
  if (!(error instanceof CorruptionError)) {
    return {
      severity: 'error',
      kind: 'unreadable',
      part: 'device',
      file: '',
      ...where,
      message: error.message,
    };
  }
  const { kind, part, file, offset, message } = error;
  const known = {
    ...(file === undefined ? {} : { file: part.startsWith('journal') ? `journal/${file}` : file }),
    ...(offset === undefined ? {} : { offset }),
  };
  return { severity: 'error', kind, part, file: 'journal', ...known, ...where, message };
}

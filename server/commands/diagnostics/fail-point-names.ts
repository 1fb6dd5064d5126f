/**
 * The fail points that there are: setting another one would wait for something that never comes.
 */
import { CHECKPOINT_POINTS } from '../../../storage/index.ts';
import { FAIL_COMMAND } from '../../command/fail-command.ts';
import { MIGRATION_STEPS } from '../../sharding/migration-steps.ts';
import { MAX_TIME_ALWAYS_TIMES_OUT, MAX_TIME_NEVER_TIMES_OUT } from '../../command/time-limit.ts';

const NAMES: ReadonlySet<string> = new Set([
  FAIL_COMMAND,
  MAX_TIME_ALWAYS_TIMES_OUT,
  MAX_TIME_NEVER_TIMES_OUT,
  ...CHECKPOINT_POINTS,
  ...MIGRATION_STEPS,
]);

export function isFailPoint(name: string): boolean {
  return NAMES.has(name);
}

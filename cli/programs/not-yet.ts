/**
 * A program that exists by name only: --help and --version work, anything else is refused with a sentence.
 */
import { FLINTDB_VERSION } from '../../common/version.ts';
import { EXIT } from './exit-codes.ts';

export interface ProgramDescription {
  readonly name: string;
  /** What --help prints. */
  readonly usage: string;
  /** Why it does nothing. */
  readonly sentence: string;
}

/** @returns the exit code. */
export function refuseToRun(
  program: ProgramDescription,
  arguments_: readonly string[],
  otherwise: number,
): number {
  if (arguments_.includes('--help') || arguments_.includes('-h')) {
    process.stdout.write(`${program.usage}\n`);
    return EXIT.clean;
  }
  if (arguments_.includes('--version')) {
    process.stdout.write(`${program.name} v${FLINTDB_VERSION}\n`);
    return EXIT.clean;
  }
  process.stderr.write(`${program.name}: ${program.sentence}\n`);
  return otherwise;
}

/**
 * A backup that is not what was written: which file, and where in it.
 */
import type { GivenOptions } from '../../server/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { EXIT } from '../programs/exit-codes.ts';

export class BackupDamage extends FailedCommand {
  readonly file: string;
  /** Of the frame that is damaged, bytes from the file's beginning. */
  readonly offset: number;

  constructor(file: string, offset: number, what: string) {
    super(`${file}, offset ${offset}: ${what}`);
    this.name = 'BackupDamage';
    this.file = file;
    this.offset = offset;
  }
}

/** Says it, for scripts with the place. @returns the exit code */
export function reportDamage(damage: BackupDamage, given: GivenOptions): number {
  const { file, offset, message } = damage;
  if (given.get('json') === true) {
    process.stdout.write(`${JSON.stringify({ sound: false, file, offset, message })}\n`);
  }
  process.stderr.write(`flint: the backup is damaged: ${message}\n`);
  return EXIT.damaged;
}

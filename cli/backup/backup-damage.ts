/**
 * A backup that is not what was written: which file, and where in it.
 */
import { FailedCommand } from '../command-line/subcommand.ts';

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

/**
 * flintd's log: where it goes, and what getLog keeps of it.
 */
import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';
import { systemClock } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import { createLog, type Log } from '../../common/log.ts';
import { UsageError, type FlintdOptions, type RecentLog } from '../../server/index.ts';

/** The log that getLog shows is always JSON; people at a terminal get readable lines. */
export function openLog({ firstSteps }: FlintdOptions, sink: Sink, recentLog: RecentLog): Log {
  const clock = systemClock;
  const keep = (text: string): void => recentLog.keep(text);
  if (firstSteps) {
    return joinLogs(
      createLog({ clock, sink: keep }),
      createLog({ clock, terminal: true, sink: (text) => sink.write(text) }),
    );
  }
  return createLog({
    clock,
    sink: (text) => {
      keep(text);
      sink.write(text);
    },
  });
}

function joinLogs(first: Log, second: Log): Log {
  return {
    write(line) {
      first.write(line);
      second.write(line);
    },
    withContext: (context) => joinLogs(first.withContext(context), second.withContext(context)),
  };
}

export interface Sink {
  write(text: string): void;
  /**
   * Goes on in a new file (`--logRotate rename`: the old one gets the time behind its name), or in whatever has the name now
   * (`reopen`). Nothing on standard error. @throws CommandError FileRenameFailed, FileNotOpen; the log goes on as before then.
   */
  rotate(): void;
  close(): void;
}

/** Standard error, or the file of --logpath. */
export function openSink(options: FlintdOptions): Sink {
  const { logPath } = options;
  if (logPath === undefined) {
    return {
      write: (text) => void process.stderr.write(text),
      rotate: () => {},
      close: () => {},
    };
  }
  try {
    return new FileSink(logPath, options);
  } catch (error) {
    throw new UsageError(`cannot write the log to ${logPath}: ${messageOf(error)}`);
  }
}

/**
 * Written synchronously: the last lines before an end are the ones that matter, and a rotation falls between two lines.
 *
 * A file that takes no line (a full disk) ends no server: the first line that is lost is told on standard error, and how many
 * were lost stands in the file as soon as it takes lines again. mongod ends itself here.
 */
class FileSink implements Sink {
  private readonly path: string;
  private lostCount = 0;
  /** The last line stands there in part. */
  private isTorn = false;
  private readonly rotation: FlintdOptions['logRotation'];
  private descriptor: number;

  /** @throws the system's error */
  constructor(path: string, options: Pick<FlintdOptions, 'logAppend' | 'logRotation'>) {
    this.path = path;
    this.rotation = options.logRotation;
    this.descriptor = openSync(path, options.logAppend ? 'a' : 'w');
  }

  write(text: string): void {
    try {
      if (this.lostCount > 0) this.tellLost();
      this.writeWhole(text);
    } catch (error) {
      if (this.lostCount === 0) {
        const what = `cannot write the log to ${this.path}: ${messageOf(error)}`;
        process.stderr.write(`flintd: ${what}. The server goes on; lines are lost.\n`);
      }
      this.lostCount += 1;
    }
  }

  rotate(): void {
    if (this.rotation === 'rename') this.moveAside();
    let next: number;
    try {
      next = openSync(this.path, 'a');
    } catch (error) {
      throw new CommandError('FileNotOpen', `cannot open ${this.path}: ${messageOf(error)}`);
    }
    const before = this.descriptor;
    this.descriptor = next;
    this.isTorn = false;
    closeSync(before);
  }

  close(): void {
    closeSync(this.descriptor);
  }

  /** A disk that fills up takes a part. */
  private writeWhole(text: string): void {
    const bytes = Buffer.from(this.isTorn ? `\n${text}` : text);
    let written = 0;
    while (written < bytes.length) {
      written += writeSync(this.descriptor, bytes, written);
      this.isTorn = written < bytes.length;
    }
  }

  private tellLost(): void {
    let line = '';
    const log = createLog({ clock: systemClock, sink: (text) => (line = text) });
    log.write({
      severity: 'E',
      component: 'CONTROL',
      id: 2_300_005,
      message: 'Lines of the log could not be written and are lost',
      attributes: { count: this.lostCount },
    });
    this.writeWhole(line);
    this.lostCount = 0;
  }

  private moveAside(): void {
    const time = new Date(systemClock.wallMs()).toISOString().replace(/\.\d+Z$/, '');
    const target = `${this.path}.${time.replaceAll(':', '-')}`;
    // Two rotations within a second: the first one's file must not be lost.
    if (existsSync(target)) {
      throw new CommandError('FileRenameFailed', `cannot rotate ${this.path}: ${target} exists`);
    }
    try {
      renameSync(this.path, target);
    } catch (error) {
      // Somebody has moved it already: a new one begins.
      if (!existsSync(this.path)) return;
      throw new CommandError('FileRenameFailed', `cannot rename ${this.path}: ${messageOf(error)}`);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * flintd's log: where it goes, and what getLog keeps of it.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { systemClock } from '../../common/clock.ts';
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
  close(): void;
}

/** Standard error, or the file of --logpath. Written synchronously: the last lines before an end are the ones that matter. */
export function openSink({ logPath, logAppend }: FlintdOptions): Sink {
  if (logPath === undefined) {
    return { write: (text) => void process.stderr.write(text), close: () => {} };
  }
  let descriptor: number;
  try {
    descriptor = openSync(logPath, logAppend ? 'a' : 'w');
  } catch (error) {
    throw new UsageError(
      `cannot write the log to ${logPath}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return {
    write: (text) => void writeSync(descriptor, text),
    close: () => closeSync(descriptor),
  };
}

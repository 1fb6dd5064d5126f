/**
 * Structured log lines in mongod's JSON shape (t, s, c, id, ctx, msg, attr); readable lines on a terminal.
 *
 * Owns: the sink and the format. Promises: one write per line, attributes are data, never part of the message.
 * Source: MongoDB's manual, "Log Messages".
 */
import type { Clock } from './clock.ts';

/** F fatal, E error, W warning, I information, D debug. */
export type LogSeverity = 'F' | 'E' | 'W' | 'I' | 'D';

/** The subsystem that a line is about, as mongod abbreviates them. */
export type LogComponent =
  | 'ACCESS'
  | 'COMMAND'
  | 'CONTROL'
  | 'INDEX'
  | 'JOURNAL'
  | 'NETWORK'
  | 'QUERY'
  | 'RECOVERY'
  | 'STORAGE'
  | 'WRITE';

export interface LogLine {
  readonly severity: LogSeverity;
  readonly component: LogComponent;
  /** Number of this statement in the source; unique, never used twice. */
  readonly id: number;
  readonly message: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

export interface Log {
  write(line: LogLine): void;
  /** The same log under another context name, such as `conn17`. */
  withContext(context: string): Log;
}

export interface LogOptions {
  readonly clock: Clock;
  /** Receives a whole line, its newline included. */
  readonly sink: (text: string) => void;
  /** Readable lines for a terminal instead of JSON. */
  readonly terminal?: boolean;
  readonly context?: string;
}

export function createLog(options: LogOptions): Log {
  const context = options.context ?? 'main';
  return {
    write(line) {
      const time = new Date(options.clock.wallMs()).toISOString();
      options.sink(
        options.terminal === true ? terminalLine(time, line) : jsonLine(time, context, line),
      );
    },
    withContext: (name) => createLog({ ...options, context: name }),
  };
}

/** A log that nobody reads. */
export const silentLog: Log = { write: () => {}, withContext: () => silentLog };

/** An attribute takes so much of a line, as with mongod's maxLogSizeKB: it may hold a client's whole document. */
const MAX_ATTRIBUTE_CHARACTERS = 10 * 1024;

function jsonLine(time: string, context: string, line: LogLine): string {
  return `${JSON.stringify({
    t: { $date: time.replace('Z', '+00:00') },
    s: line.severity,
    c: line.component,
    id: line.id,
    ctx: context,
    msg: line.message,
    ...boundedAttributes(line),
  })}\n`;
}

/** What is too long is cut to a text, with its type and size beside it. */
function boundedAttributes({ attributes }: LogLine): Record<string, unknown> {
  if (attributes === undefined) return {};
  const attr: Record<string, unknown> = {};
  const truncated: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const text = typeof value === 'object' ? JSON.stringify(value) : value;
    const isLong = typeof text === 'string' && text.length > MAX_ATTRIBUTE_CHARACTERS;
    attr[name] = isLong ? text.slice(0, MAX_ATTRIBUTE_CHARACTERS) : value;
    if (isLong) truncated[name] = { type: typeof value, size: text.length };
  }
  return Object.keys(truncated).length === 0 ? { attr } : { attr, truncated };
}

function terminalLine(time: string, line: LogLine): string {
  const { attr } = boundedAttributes(line);
  const attributes = attr === undefined ? '' : ` ${JSON.stringify(attr)}`;
  return `${time} ${line.severity} ${line.component.padEnd(8)} ${line.message}${attributes}\n`;
}

/**
 * What the HTTP API asks of the server behind it: to run a command's body for a caller. flintd runs it on its engine, a router
 * over its shards; the API knows neither.
 */
import type { MaybePromise } from '../../storage/index.ts';

/** Who asks, and until when the answer is of use. */
export interface CommandCaller {
  /** Number of the connection among the server's, whatever they speak. */
  readonly connectionId: number;
  /** "address:port" of the other end, for logs and currentOp. */
  readonly remote: string;
  /** Aborted when the client has left: what runs for it ends. */
  readonly signal: AbortSignal;
  /** The server closes the caller's connection (a fail point, a killed connection). */
  readonly disconnect: () => void;
}

export interface CommandRunner {
  /**
   * Runs one command.
   * @param command raw BSON with `$db`, validated.
   * @returns the reply, errors included; undefined: the connection is to be closed without one. Never rejects.
   */
  run(command: Buffer, caller: CommandCaller): MaybePromise<Buffer | undefined>;
}

/** Where connections are numbered and counted, those of the wire protocol among them. */
export interface ConnectionTally {
  /** @returns the new connection's number. */
  opened(): number;
  closed(): void;
}

/**
 * The operations that ended last: what a crash report says of the moments before.
 *
 * Owns: a ring of fixed records, written in place at the end of every operation. Promises: bounded memory, no allocation,
 * no bytes of any request.
 */

const KEPT = 128;

export interface RecentOperation {
  readonly command: string;
  readonly namespace: string;
  readonly connectionId: number | undefined;
  /** Monotonic time of its end, milliseconds. */
  readonly endedMs: number;
  readonly elapsedMs: number;
  readonly failed: boolean;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

export class RecentOperations {
  private readonly ring: Writable<RecentOperation>[] = [];
  private ended = 0;

  /** Called once for each operation, at its end. */
  keep(
    operation: {
      readonly commandName: string;
      readonly namespace: string;
      readonly connectionId: number | undefined;
    },
    endedMs: number,
    elapsedMs: number,
    failed: boolean,
  ): void {
    const place = this.ended % KEPT;
    this.ended += 1;
    const record = this.ring[place];
    if (record === undefined) {
      const { commandName: command, namespace, connectionId } = operation;
      this.ring.push({ command, namespace, connectionId, endedMs, elapsedMs, failed });
      return;
    }
    record.command = operation.commandName;
    record.namespace = operation.namespace;
    record.connectionId = operation.connectionId;
    record.endedMs = endedMs;
    record.elapsedMs = elapsedMs;
    record.failed = failed;
  }

  /** The newest last. */
  get newest(): readonly RecentOperation[] {
    const oldest = this.ended <= KEPT ? 0 : this.ended % KEPT;
    return [...this.ring.slice(oldest), ...this.ring.slice(0, oldest)];
  }
}

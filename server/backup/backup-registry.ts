/**
 * Backups under way: a store held still, or a journal that is followed, between the commands that read it.
 *
 * Owns: the table of them, their ids, and their idle timeout. A client that dies leaves nothing held for longer than that; one that
 * comes back in time goes on where it was, also over another connection.
 * Invariants:
 *  1. At most one operation uses a backup.
 *  2. What is open here is closed by its client, by the timeout, or when the server stops.
 */
import { CommandError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import type { Deadline, TimerWheel } from '../../common/timer-wheel.ts';
import type { JournalTail, StoreBackup } from '../../storage/index.ts';

export type BackupContents =
  | { readonly kind: 'store'; readonly store: StoreBackup }
  | { readonly kind: 'journal'; readonly journal: JournalTail };

interface OpenBackup {
  readonly contents: BackupContents;
  idle: Deadline | undefined;
  isInUse: boolean;
  /** It ends when whoever uses it is through. */
  isClosing: boolean;
}

export interface BackupRegistryOptions {
  readonly timers: TimerWheel;
  readonly random: Random;
  /** Asked whenever a backup becomes idle, milliseconds. */
  readonly timeoutMs: () => number;
}

const ID_BYTES = 16;

export class BackupRegistry {
  private readonly open = new Map<string, OpenBackup>();
  private readonly options: BackupRegistryOptions;

  constructor(options: BackupRegistryOptions) {
    this.options = options;
  }

  get count(): number {
    return this.open.size;
  }

  /** @returns its id: random, so that nobody guesses another client's */
  add(contents: BackupContents): string {
    const id = this.options.random.bytes(ID_BYTES).toString('hex');
    const backup: OpenBackup = { contents, idle: undefined, isInUse: false, isClosing: false };
    this.open.set(id, backup);
    this.startIdle(id, backup);
    return id;
  }

  /** @throws CommandError CursorNotFound, CursorInUse */
  async use<Result>(
    id: string,
    read: (contents: BackupContents) => Promise<Result>,
  ): Promise<Result> {
    const backup = this.open.get(id);
    if (backup === undefined || backup.isClosing) throw notFound(id);
    if (backup.isInUse) throw new CommandError('CursorInUse', `backup ${id} is already in use`);
    backup.isInUse = true;
    backup.idle?.cancel();
    try {
      return await read(backup.contents);
    } finally {
      backup.isInUse = false;
      if (backup.isClosing) await this.end(id, backup);
      else this.startIdle(id, backup);
    }
  }

  /** @throws CommandError CursorNotFound */
  async close(id: string): Promise<void> {
    const backup = this.open.get(id);
    if (backup === undefined) throw notFound(id);
    await this.end(id, backup);
  }

  async closeAll(): Promise<void> {
    for (const [id, backup] of this.open) await this.end(id, backup);
  }

  private async end(id: string, backup: OpenBackup): Promise<void> {
    backup.isClosing = true;
    if (backup.isInUse) return;
    backup.idle?.cancel();
    this.open.delete(id);
    const { contents } = backup;
    if (contents.kind === 'store') contents.store.close();
    else await contents.journal.close();
  }

  private startIdle(id: string, backup: OpenBackup): void {
    backup.idle ??= this.options.timers.create(() => {
      // A segment that cannot be closed is no reason to keep the rest.
      this.end(id, backup).catch(() => {});
    });
    backup.idle.set(this.options.timeoutMs());
  }
}

function notFound(id: string): CommandError {
  return new CommandError('CursorNotFound', `backup ${id} not found: it was closed, or timed out`);
}

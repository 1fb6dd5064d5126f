/**
 * What cursors read through: an epoch's layers up to one commit number, and a transaction's own writes on top.
 *
 * Owns: the pin on the epoch's base. Cursors ask for `epoch` at every step: a checkpoint may move a view to a younger
 * epoch that shows exactly the same, so that the older base can go.
 */
import { invariant } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommitNumber } from '../contract.ts';
import type { Generation } from '../delta/generation.ts';
import type { Epoch } from './epoch.ts';

export class LayeredView {
  readonly commitNumber: CommitNumber;
  /** Moves with every write of a transaction. */
  ownWriteCount = 0;

  private currentEpoch: Epoch;
  private state: 'open' | 'closed' | 'tooOld' = 'open';

  constructor(epoch: Epoch, commitNumber: CommitNumber) {
    this.currentEpoch = epoch;
    this.commitNumber = commitNumber;
    epoch.base.pin();
  }

  /** @throws CommandError SnapshotTooOld when memory ran short and this snapshot had to go. */
  get epoch(): Epoch {
    if (this.state !== 'open') this.refuse();
    return this.currentEpoch;
  }

  /** A transaction's own writes, newer than every generation; undefined for a snapshot. */
  get ownWrites(): Generation | undefined {
    return undefined;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** Goes on in an epoch that shows the same at this commit number. */
  moveTo(epoch: Epoch): void {
    invariant(
      epoch.base.commitNumber <= this.commitNumber,
      'view: moved to a base from its future',
    );
    if (this.state !== 'open' || this.currentEpoch === epoch) return;
    epoch.base.pin();
    this.currentEpoch.base.unpin();
    this.currentEpoch = epoch;
  }

  get layers(): readonly Generation[] {
    return this.state === 'open' ? this.currentEpoch.generations : [];
  }

  /** Whether the view keeps a base that is not this one. */
  pinsOtherThan(epoch: Epoch): boolean {
    return this.state === 'open' && this.currentEpoch.base !== epoch.base;
  }

  /** Lets go of the epoch. @returns false when it was let go before. */
  protected letGo(because: 'closed' | 'tooOld'): boolean {
    if (this.state !== 'open') return false;
    this.state = because;
    this.currentEpoch.base.unpin();
    return true;
  }

  /** The catalog, too, forgets what nobody can see any more. @throws CommandError SnapshotTooOld */
  protected refuseTooOld(): void {
    if (this.state !== 'tooOld') return;
    throw new CommandError(
      'SnapshotTooOld',
      'Snapshot is too old: memory for old versions ran out',
      {
        labels: ['TransientTransactionError'],
      },
    );
  }

  private refuse(): never {
    this.refuseTooOld();
    throw new CommandError('InternalError', 'Read through a view that was closed');
  }
}

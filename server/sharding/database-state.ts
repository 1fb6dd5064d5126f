/**
 * What a shard knows of one database: its entry at the config server, who uses its unsharded collections, and whether they are about
 * to go to another shard.
 *
 * Owns: the counts of operations on unsharded collections and of changes of definitions, and the hold of a move. Invariants:
 *  1. While a move is under way nobody changes an unsharded collection or a definition: whoever tries hears MovePrimaryInProgress.
 *  2. In its second half nobody reads either: they wait until it is known where the collections are.
 *  3. Who was let in before the collections went writes nothing any more.
 * Source: MongoDB's manual, "movePrimary".
 */
import { CommandError } from '../../common/errors.ts';
import type { DatabaseEntry } from './catalog-entries.ts';
import type { RoutedOperation } from './routed-by.ts';

/** Nobody writes until it is released. */
export interface DatabaseHold {
  /** From now on nobody reads either. */
  blockReads(): void;
  /** Idempotent. */
  release(): void;
}

interface Held {
  readonly ended: Promise<void>;
  blocksReads: boolean;
}

export class DatabaseState {
  readonly name: string;
  /** undefined: it has to be read from the config server. */
  known: DatabaseEntry | undefined;
  private held: Held | undefined;
  private readonly users = new Set<RoutedOperation>();
  /** Of the users those that were let in before the collections went. */
  private outdated = new WeakSet<RoutedOperation>();
  private definitionChanges = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Operations on unsharded collections go on. */
  get isUsed(): boolean {
    return this.users.size > 0;
  }

  /** Commands go on that make, change or drop collections, indexes or views. */
  get isChanging(): boolean {
    return this.definitionChanges > 0;
  }

  get isMoving(): boolean {
    return this.held !== undefined;
  }

  /** Resolves when who is held back may look again; undefined: nobody is. */
  get blocked(): Promise<void> | undefined {
    return this.held?.blocksReads === true ? this.held.ended : undefined;
  }

  /** @throws CommandError MovePrimaryInProgress */
  checkMayChange(namespace: string): void {
    if (this.held === undefined) return;
    throw new CommandError(
      'MovePrimaryInProgress',
      `movePrimary is in progress for namespace ${namespace}`,
    );
  }

  /** @returns to be called when the operation is over */
  use(op: RoutedOperation): () => void {
    this.users.add(op);
    return () => {
      this.users.delete(op);
    };
  }

  /** What is known is old: the collections have gone, or may have. */
  forget(): void {
    this.known = undefined;
    this.outdated = new WeakSet(this.users);
  }

  /** It may read on from where it was let in, but what it wrote would be dropped. */
  isOutdated(op: RoutedOperation): boolean {
    return this.outdated.has(op);
  }

  /** @returns to be called when the change is over. @throws CommandError MovePrimaryInProgress */
  enterDefinitionChange(): () => void {
    this.checkMayChange(this.name);
    this.definitionChanges += 1;
    return () => {
      this.definitionChanges -= 1;
    };
  }

  /** @throws CommandError ConflictingOperationInProgress when another one holds it */
  hold(): DatabaseHold {
    if (this.held !== undefined) {
      throw new CommandError(
        'ConflictingOperationInProgress',
        `Another movePrimary of the database ${this.name} is under way`,
      );
    }
    let end = (): void => {};
    const held: Held = {
      ended: new Promise((resolve) => {
        end = resolve;
      }),
      blocksReads: false,
    };
    this.held = held;
    return {
      blockReads: () => {
        held.blocksReads = true;
      },
      release: () => {
        if (this.held !== held) return;
        this.held = undefined;
        end();
      },
    };
  }
}

/**
 * The items of a stage that wait for scripts: a batch is tried, its scripts run in one hop, and the items leave in order.
 *
 * Owns: the leases of the items inside, and of the one that left last (it is being evaluated). With `keepAll` leases are held
 * until the end: for stages that evaluate documents later than they take them.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { ScriptSession, ScriptTrial } from './script-session.ts';

const FIRST_COUNT = 8;
const MOST_COUNT = 256;
const MOST_BYTES = 4 * 1024 * 1024;

interface Entry<Item> {
  readonly item: Item;
  readonly trial: ScriptTrial;
}

export class ScriptWindow<Item> {
  private readonly session: ScriptSession;
  private readonly keepAll: boolean;
  private entries: Entry<Item>[] = [];
  private next = 0;
  private bytes = 0;
  private limit = FIRST_COUNT;
  private isOpen = true;
  private readonly left: ScriptTrial[] = [];

  constructor(session: ScriptSession, keepAll = false) {
    this.session = session;
    this.keepAll = keepAll;
  }

  /** Whether another item may come in before those inside leave. */
  get takes(): boolean {
    return this.isOpen && this.entries.length < this.limit && this.bytes < MOST_BYTES;
  }

  get isEmpty(): boolean {
    return this.next >= this.entries.length;
  }

  offer(item: Item, bytes: number, evaluate: () => void): void {
    const trial = this.session.begin(evaluate, this.keepAll);
    this.entries.push({ item, trial });
    this.bytes += bytes;
    // Nothing to wait for: it may leave at once.
    if (this.entries.length === 1 && trial.isSettled) this.isOpen = false;
  }

  /** Runs what the items inside need; the next may leave afterwards. undefined: it needs nothing. */
  settle(interruption: Interruption): Promise<void> | undefined {
    this.isOpen = false;
    if (this.entries[this.next]?.trial.isSettled !== false) return undefined;
    const trials = this.entries.slice(this.next).map((entry) => entry.trial);
    this.limit = Math.min(this.limit * 2, MOST_COUNT);
    return this.session.settle(trials, interruption);
  }

  /** The next item; its evaluation must follow before another is taken. */
  take(): Item {
    const { item, trial } = this.entries[this.next]!;
    this.next += 1;
    if (!this.keepAll) this.releaseLeft();
    this.left.push(trial);
    this.session.replay(trial);
    if (this.isEmpty) this.reopen();
    return item;
  }

  close(): void {
    for (const { trial } of this.entries.slice(this.next)) this.session.release(trial);
    this.releaseLeft();
    this.reopen();
  }

  private reopen(): void {
    this.entries = [];
    this.next = 0;
    this.bytes = 0;
    this.isOpen = true;
  }

  private releaseLeft(): void {
    for (const trial of this.left) this.session.release(trial);
    this.left.length = 0;
  }
}

/**
 * The scripts of one operation: what its compiled expressions ask, and the answers they find.
 *
 * Expressions, filters and accumulators are evaluated synchronously; scripts run in another thread. The seam between them:
 * a stage first *tries* the evaluation of a document. A script whose result is not known is noted, a placeholder stands for it,
 * and the evaluation counts for nothing. What was noted in a batch of documents is run in one hop; then they are tried again, and
 * once nothing is missing the stage evaluates as it always does, and finds every result. docs/decisions/0007-scripts.md.
 *
 * Owns: the results that are held, and what is still to be run. Invariants:
 *  1. A result is held as long as a lease on it; results without a lease are gone.
 *     It belongs to the document whose evaluation asked for it: the same call for another document is run again, since it may
 *     give something else (a random number, a new id, a count of calls).
 *  2. Each round of tries resolves the first missing script of every document, so it ends.
 *  3. Random numbers of a document's evaluation are the same at every try, so that arguments made of them are.
 */
import { hash } from 'node:crypto';
import { BsonType, binaryValue, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { Random } from '../../common/random.ts';
import type { SandboxSetup, ScriptCall, ScriptOutcome } from './script-calls.ts';
import type { ScriptClient, ScriptThreads } from './script-threads.ts';

/** Results that may be held at a time, bytes. */
const MOST_HELD_BYTES = 100 * 1024 * 1024;
/** With more than this only the document whose turn it is gets further results. */
const MANY_HELD_BYTES = 32 * 1024 * 1024;
/** Calls of one hop. */
const MOST_CALLS_PER_HOP = 512;
const MOST_BYTES_PER_HOP = 16 * 1024 * 1024;

/** Thrown out of an evaluation that was not prepared: its result is not there yet. Never reaches a client. */
export class ScriptsNeeded extends Error {}

interface Held {
  /** What was called, whoever asked for it. */
  readonly call: string;
  readonly outcome: ScriptOutcome;
  readonly bytes: number;
  leases: number;
}

/** The results that somebody still needs. */
export class ScriptLease {
  readonly keys = new Set<string>();
}

/** One evaluation that is being prepared. */
export interface ScriptTrial {
  /** Begins the keys of its results. */
  readonly owner: string;
  readonly evaluate: () => void;
  readonly lease: ScriptLease;
  readonly draws: number[];
  /** Calls whose results its last try missed. */
  readonly wanted: Map<string, ScriptCall>;
  isSettled: boolean;
}

/** Evaluations that share their results: their documents are evaluated later, in another order. */
const SHARED = '';

function newTrial(evaluate: () => void, owner: string): ScriptTrial {
  return {
    owner,
    evaluate,
    lease: new ScriptLease(),
    draws: [],
    wanted: new Map<string, ScriptCall>(),
    isSettled: false,
  };
}

export interface ScriptSessionOptions {
  readonly random: Random;
  /** Documents whose fields are globals: loaded when the first script runs. */
  readonly globals?: (interruption: Interruption) => Promise<readonly Buffer[]>;
  /** mapReduce's own expressions may be used. */
  readonly isMapReduce?: boolean;
}

export class ScriptSession implements ScriptClient {
  readonly id: number;
  /** Repeats what it gave whenever the same document is evaluated again. */
  readonly random: Random;
  private readonly threads: ScriptThreads;
  private readonly options: ScriptSessionOptions;
  private readonly held = new Map<string, Held>();
  /** By call the key of a result of it. */
  private readonly someKey = new Map<string, string>();
  private trialCount = 0;
  private heldBytes = 0;
  private trial: ScriptTrial | undefined;
  private isTrying = false;
  private hasMissed = false;
  private drawn = 0;
  private loadedSetup: SandboxSetup | undefined;
  private readonly placeholder: RawValue;
  private readonly placeholderBytes: Buffer;

  constructor(threads: ScriptThreads, options: ScriptSessionOptions) {
    this.threads = threads;
    this.options = options;
    this.id = threads.nextClientId();
    this.placeholderBytes = options.random.bytes(16);
    this.placeholder = binaryValue(this.placeholderBytes, 0x80);
    this.random = {
      next: () => this.draw(),
      below: (bound) => Math.floor(this.draw() * bound),
      bytes: (count) => options.random.bytes(count),
    };
  }

  /**
   * The value of a call.
   * @throws CommandError the script's exception. @throws ScriptsNeeded when nobody prepared it.
   */
  valueOf(call: ScriptCall): RawValue {
    const name = keyOf(call);
    const key = (this.trial?.owner ?? SHARED) + name;
    const held = this.held.get(key) ?? this.resultForAnother(name);
    if (held !== undefined) {
      if (this.isTrying) this.hold(key, held);
      if ('error' in held.outcome) throw held.outcome.error;
      return held.outcome.value;
    }
    this.hasMissed = true;
    // A call on the placeholder would be a call on nothing: it comes again with the real value.
    const isReal = call.given.indexOf(this.placeholderBytes) < 0;
    if (isReal) this.trial?.wanted.set(key, call);
    if (!this.isTrying) throw new ScriptsNeeded('a script was reached that nobody prepared');
    return this.placeholder;
  }

  /** An evaluation that counts must find a result, even when it is not the turn of its own document. */
  private resultForAnother(name: string): Held | undefined {
    if (this.isTrying) return undefined;
    const key = this.someKey.get(name);
    return this.held.get(SHARED + name) ?? (key === undefined ? undefined : this.held.get(key));
  }

  /**
   * Begins to prepare an evaluation: tries it.
   * @param isLate documents are evaluated long after their turn: equal calls of all of them share a result
   */
  begin(evaluate: () => void, isLate = false): ScriptTrial {
    this.trialCount += 1;
    const trial = newTrial(evaluate, isLate ? SHARED : `${this.trialCount}\0`);
    this.try(trial);
    return trial;
  }

  /**
   * Runs scripts until the first of these evaluations finds all its results; of the others as many do as their results leave
   * room for.
   */
  async settle(trials: readonly ScriptTrial[], interruption: Interruption): Promise<void> {
    const [first] = trials;
    let open = trials.filter((trial) => !trial.isSettled);
    while (open.length > 0) {
      if (first?.isSettled === true && this.heldBytes > MANY_HELD_BYTES) return;
      await this.runWanted(interruption, open);
      open = open.filter((trial) => !this.try(trial));
    }
  }

  /** Prepares one evaluation. The caller evaluates it at once afterwards, then releases it. */
  prepare(evaluate: () => void, interruption: Interruption): ScriptTrial | Promise<ScriptTrial> {
    const trial = this.begin(evaluate);
    if (trial.isSettled) return trial;
    return this.settle([trial], interruption).then(() => trial);
  }

  /** The evaluation follows now: it draws the same random numbers as its tries. */
  replay(trial: ScriptTrial): void {
    this.trial = trial;
    this.drawn = 0;
  }

  release({ lease }: ScriptTrial): void {
    for (const key of lease.keys) {
      const held = this.held.get(key);
      if (held === undefined) continue;
      held.leases -= 1;
      if (held.leases > 0) continue;
      this.held.delete(key);
      if (this.someKey.get(held.call) === key) this.someKey.delete(held.call);
      this.heldBytes -= held.bytes;
    }
    lease.keys.clear();
  }

  /**
   * Runs a body that evaluates somewhere deep inside, and runs it again after the scripts that it met. The body must be
   * repeatable: what it did before ScriptsNeeded left it must be undone.
   */
  async repeat<Result>(
    body: () => Result | Promise<Result>,
    interruption: Interruption,
  ): Promise<Result> {
    const trial = newTrial(() => {}, SHARED);
    try {
      for (;;) {
        this.replay(trial);
        try {
          return await body();
        } catch (error) {
          if (!(error instanceof ScriptsNeeded)) throw error;
        }
        await this.runWanted(interruption, [trial]);
      }
    } finally {
      this.release(trial);
    }
  }

  /** Runs calls whose results the caller keeps itself. */
  async run(calls: readonly ScriptCall[], interruption: Interruption): Promise<ScriptOutcome[]> {
    const outcomes: ScriptOutcome[] = [];
    while (outcomes.length < calls.length) {
      const hop = nextHop(calls, outcomes.length);
      outcomes.push(...(await this.threads.run(this, hop, interruption)));
    }
    return outcomes;
  }

  async setup(interruption: Interruption): Promise<SandboxSetup> {
    this.loadedSetup ??= { globals: (await this.options.globals?.(interruption)) ?? [] };
    return this.loadedSetup;
  }

  /** Lets the sandboxes go. The session may be used again: it gets new ones. */
  close(): void {
    this.held.clear();
    this.someKey.clear();
    this.heldBytes = 0;
    this.threads.forget(this);
  }

  /** @returns whether every script's result was there. What the evaluation throws it throws again when it counts. */
  private try(trial: ScriptTrial): boolean {
    this.replay(trial);
    trial.wanted.clear();
    this.isTrying = true;
    this.hasMissed = false;
    try {
      trial.evaluate();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
    } finally {
      this.isTrying = false;
      trial.isSettled = !this.hasMissed;
    }
    return trial.isSettled;
  }

  private hold(key: string, held: Held): void {
    const lease = this.trial?.lease;
    if (lease === undefined || lease.keys.has(key)) return;
    lease.keys.add(key);
    held.leases += 1;
  }

  /** Runs what these trials have missed, as far as there is room for the results. */
  private async runWanted(interruption: Interruption, open: readonly ScriptTrial[]): Promise<void> {
    const byKey = new Map<string, ScriptCall>();
    const asking = this.heldBytes > MANY_HELD_BYTES ? open.slice(0, 1) : open;
    for (const trial of asking) {
      for (const [key, call] of trial.wanted) byKey.set(key, call);
    }
    for (const trial of open) trial.wanted.clear();
    const keys = [...byKey.keys()];
    const calls = [...byKey.values()];
    const [first] = open;
    for (let at = 0; at < calls.length;) {
      const outcomes = await this.threads.run(this, nextHop(calls, at), interruption);
      for (const outcome of outcomes) {
        const key = keys[at]!;
        const held = this.held.get(key) ?? this.keep(key, keyOf(calls[at]!), outcome);
        at += 1;
        // The first open trial answers for it: no result is lost before the others were tried again.
        if (first === undefined || first.lease.keys.has(key)) continue;
        first.lease.keys.add(key);
        held.leases += 1;
      }
      this.checkHeldBytes();
      // The others are tried again and ask again.
      if (asking.length > 1 && this.heldBytes > MANY_HELD_BYTES) return;
    }
  }

  private checkHeldBytes(): void {
    if (this.heldBytes <= MOST_HELD_BYTES) return;
    throw new CommandError(
      'ExceededMemoryLimit',
      `Results of JavaScript functions exceed ${MOST_HELD_BYTES} bytes of memory`,
    );
  }

  private keep(key: string, call: string, outcome: ScriptOutcome): Held {
    const bytes = key.length + ('value' in outcome ? outcome.value.end - outcome.value.start : 0);
    const held: Held = { call, outcome, bytes, leases: 0 };
    this.held.set(key, held);
    this.someKey.set(call, key);
    this.heldBytes += bytes;
    return held;
  }

  private draw(): number {
    const { trial } = this;
    if (trial === undefined) return this.options.random.next();
    const position = this.drawn;
    this.drawn += 1;
    return (trial.draws[position] ??= this.options.random.next());
  }
}

/** As many calls as go together, from a position on. */
function nextHop(calls: readonly ScriptCall[], from: number): readonly ScriptCall[] {
  let end = from;
  for (let bytes = 0; end < calls.length;) {
    bytes += calls[end]!.given.length;
    end += 1;
    if (end - from >= MOST_CALLS_PER_HOP || bytes >= MOST_BYTES_PER_HOP) break;
  }
  return calls.slice(from, end);
}

/** Arguments up to this length are their own key; of longer ones a hash that nobody can collide. */
const MOST_PLAIN_KEY_BYTES = 64;

function keyOf({ kind, sources, given }: ScriptCall): string {
  const argument =
    given.length <= MOST_PLAIN_KEY_BYTES
      ? given.toString('latin1')
      : hash('sha256', given, 'base64');
  return `${kind}\0${sources.join('\0')}\0${argument}`;
}

/** Truth of a predicate's result. */
export function isTrue(value: RawValue): boolean {
  return value.type === BsonType.bool && value.asBoolean();
}

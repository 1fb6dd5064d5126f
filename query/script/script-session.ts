/**
 * The scripts of one operation: what its compiled expressions ask, and the answers they find.
 *
 * Expressions, filters and accumulators are evaluated synchronously; scripts run in another thread. The seam between them:
 * a stage first *tries* the evaluation of a document. A script whose result is not known is noted, a placeholder stands for it,
 * and the evaluation counts for nothing. What was noted in a batch of documents is run in one hop; then they are tried again, and
 * once nothing is missing the stage evaluates as it always does, and finds every result. docs/decisions/0006-scripts.md.
 *
 * Owns: the results that are held, and what is still to be run. Invariants:
 *  1. A result is held as long as a lease on it; results without a lease are gone.
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
/** Calls of one hop. */
const MOST_CALLS_PER_HOP = 512;
const MOST_BYTES_PER_HOP = 16 * 1024 * 1024;

/** Thrown out of an evaluation that was not prepared: its result is not there yet. Never reaches a client. */
export class ScriptsNeeded extends Error {}

interface Held {
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
  readonly evaluate: () => void;
  readonly lease: ScriptLease;
  readonly draws: number[];
  /** Calls whose results its last try missed. */
  readonly wanted: Map<string, ScriptCall>;
  isSettled: boolean;
}

function newTrial(evaluate: () => void): ScriptTrial {
  return {
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
    const key = keyOf(call);
    const held = this.held.get(key);
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

  /** Begins to prepare an evaluation: tries it. */
  begin(evaluate: () => void): ScriptTrial {
    const trial = newTrial(evaluate);
    this.try(trial);
    return trial;
  }

  /** Runs scripts until each of these evaluations finds all its results. */
  async settle(trials: readonly ScriptTrial[], interruption: Interruption): Promise<void> {
    let open = trials.filter((trial) => !trial.isSettled);
    while (open.length > 0) {
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
    const trial = newTrial(() => {});
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
    for (const part of hops(calls)) {
      outcomes.push(...(await this.threads.run(this, part, interruption)));
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

  /** Results belong to all open trials until they are tried again. */
  private async runWanted(interruption: Interruption, open: readonly ScriptTrial[]): Promise<void> {
    const byKey = new Map<string, ScriptCall>();
    for (const trial of open) {
      for (const [key, call] of trial.wanted) byKey.set(key, call);
      trial.wanted.clear();
    }
    const wanted = [...byKey];
    const outcomes = await this.run(
      wanted.map(([, call]) => call),
      interruption,
    );
    const [first] = open;
    wanted.forEach(([key], position) => {
      const held = this.held.get(key) ?? this.keep(key, outcomes[position]!);
      // The first open trial answers for it: no result is lost before the others were tried again.
      if (first === undefined || first.lease.keys.has(key)) return;
      first.lease.keys.add(key);
      held.leases += 1;
    });
    if (this.heldBytes > MOST_HELD_BYTES) {
      throw new CommandError(
        'ExceededMemoryLimit',
        `Results of JavaScript functions exceed ${MOST_HELD_BYTES} bytes of memory`,
      );
    }
  }

  private keep(key: string, outcome: ScriptOutcome): Held {
    const bytes = key.length + ('value' in outcome ? outcome.value.end - outcome.value.start : 0);
    const held: Held = { outcome, bytes, leases: 0 };
    this.held.set(key, held);
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

function* hops(calls: readonly ScriptCall[]): Generator<readonly ScriptCall[]> {
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < calls.length; at += 1) {
    bytes += calls[at]!.given.length;
    if (at + 1 - from < MOST_CALLS_PER_HOP && bytes < MOST_BYTES_PER_HOP) continue;
    yield calls.slice(from, at + 1);
    from = at + 1;
    bytes = 0;
  }
  if (from < calls.length) yield calls.slice(from);
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

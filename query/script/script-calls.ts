/**
 * What is asked of a sandbox, and what crosses between the event loop and the script threads.
 *
 * Owns: the shapes only. Bytes of many calls travel in one block, so that a batch costs one hop.
 */
import type { CommandError } from '../../common/errors.ts';
import type { RawValue } from '../../bson/index.ts';

/**
 * - `call`: a function with arguments: {args: [...]} -> its value
 * - `where`: a predicate on a document: {self: document} -> a bool
 * - `emit`: a map function: {self: document} -> an array of {k, v}
 * - `fold`: an accumulator: {state | init: [...], inputs: [[...], ...], end: bool} -> the state, or at the end the result
 */
export type ScriptCallKind = 'call' | 'where' | 'emit' | 'fold';

export const SCRIPT_CALL_KINDS: readonly ScriptCallKind[] = ['call', 'where', 'emit', 'fold'];

export interface ScriptCall {
  readonly kind: ScriptCallKind;
  /** Sources of the functions: of a `fold` those of init, accumulate and finalize ('' for none), of the others one. */
  readonly sources: readonly string[];
  /** The document of the kind. */
  readonly given: Buffer;
}

/** How a call ended. */
export type ScriptOutcome = { readonly value: RawValue } | { readonly error: CommandError };

/** What the globals of a session's sandbox hold besides MongoDB's own: `scope` of mapReduce, functions of system.js. */
export interface SandboxSetup {
  /** Documents whose fields become globals. */
  readonly globals: readonly Buffer[];
}

/** Event loop -> thread. */
export interface ScriptJob {
  readonly session: number;
  /** Present when this thread has no sandbox of the session yet. */
  readonly setup: SandboxSetup | undefined;
  /** Sessions whose sandboxes are not needed any more. */
  readonly forget: readonly number[];
  /** Sources that this sandbox has not seen; they get the next numbers. */
  readonly newSources: readonly string[];
  /** Per call: kind, start and end in `bytes`, number of sources, their numbers. */
  readonly calls: readonly (readonly number[])[];
  readonly bytes: Uint8Array;
  readonly heapBytes: number;
  /** Longest run of one call, milliseconds. */
  readonly callLimitMs: number;
}

/** Thread -> event loop. */
export interface ScriptAnswer {
  /** Per call that was run: start and end of a document {r: value} in `bytes`, or the exception. */
  readonly outcomes: readonly (
    readonly [number, number] | { readonly code: number; readonly message: string }
  )[];
  readonly bytes: Uint8Array;
  /** Memory of the thread's engine: it never shrinks. */
  readonly engineBytes: number;
  /** The sandbox was given up: out of memory, out of time, or broken. */
  readonly sandboxLost: boolean;
}

/**
 * One JavaScript world: a QuickJS runtime with a heap of its own, MongoDB's globals, and no way to anything else.
 *
 * Owns: the runtime's lifetime and limits. Runs in a script thread only.
 * Promises: a call ends by its value, its exception, or a limit; after `isLost` the sandbox must be thrown away.
 * Never: gives the script a function of the host. All that crosses is text.
 */
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from 'quickjs-emscripten-core';
import type { QuickJSWASMModule } from 'quickjs-emscripten-core';
import { CommandError, ERROR_CODES } from '../../common/errors.ts';
import { DocumentBuilder } from '../../bson/index.ts';
import { enteringText, type Leaving, leavingValue } from './crossing.ts';
import { PRELUDE } from './prelude.ts';
import type { ScriptCallKind } from './script-calls.ts';

/** A quarter of what the thread's own stack holds: deeper recursion is the script's RangeError, never a crash. */
const STACK_BYTES = 512 * 1024;

export interface SandboxLimits {
  readonly heapBytes: number;
  readonly callLimitMs: number;
  /** Asked every few ten microseconds while a script runs; true stops it. */
  readonly mustStop: () => boolean;
  readonly nowMs: () => number;
}

export type SandboxOutcome =
  { readonly document: Buffer } | { readonly code: number; readonly message: string };

export class Sandbox {
  isLost = false;
  private readonly runtime: QuickJSRuntime;
  private readonly context: QuickJSContext;
  private readonly enter: QuickJSHandle;
  private readonly setGlobalsOf: QuickJSHandle;
  private readonly limits: SandboxLimits;
  private callEndsMs = Infinity;
  private stopped: 'interrupted' | 'time' | undefined;

  constructor(engine: QuickJSWASMModule, limits: SandboxLimits) {
    this.limits = limits;
    this.runtime = engine.newRuntime();
    this.runtime.setMaxStackSize(STACK_BYTES);
    this.context = this.runtime.newContext();
    const doors = this.context.unwrapResult(
      this.context.evalCode(PRELUDE, 'prelude', { type: 'global' }),
    );
    this.enter = this.context.getProp(doors, 'enter');
    this.setGlobalsOf = this.context.getProp(doors, 'setGlobals');
    doors.dispose();
    this.runtime.setMemoryLimit(limits.heapBytes);
    this.runtime.setInterruptHandler(() => this.shallStop());
  }

  /** Fields of `document` become globals. @returns the exception's text when that fails. */
  setGlobals(document: Buffer): string | undefined {
    const answer = this.run(this.setGlobalsOf, [enteringText(document)]);
    return 'failed' in answer ? answer.failed.message : undefined;
  }

  call(kind: ScriptCallKind, sources: readonly string[], given: Buffer): SandboxOutcome {
    const entering = enteringOrRefusal(given);
    if (typeof entering !== 'string') return entering;
    const answer = this.run(this.enter, [kind, JSON.stringify(sources), entering]);
    if ('failed' in answer) return answer.failed;
    const left = readAnswer(answer.text);
    if (left instanceof CommandError) return { code: left.code, message: left.message };
    if ('value' in left) {
      return { document: new DocumentBuilder().append('r', left.value).finish() };
    }
    const { name, message, stack, code } = left.error;
    if (code !== 0) return { code, message };
    if (message === 'out of memory' && name === 'InternalError') return this.outOfMemory();
    return { code: FAILURE, message: `${name}: ${message} :\n${framesOf(stack)}` };
  }

  private run(
    door: QuickJSHandle,
    texts: readonly string[],
  ): { readonly text: string } | { readonly failed: { code: number; message: string } } {
    const { context, limits } = this;
    this.stopped = undefined;
    this.callEndsMs = limits.nowMs() + limits.callLimitMs;
    const handles: QuickJSHandle[] = [];
    try {
      for (const text of texts) handles.push(context.newString(text));
      const result = context.callFunction(door, context.undefined, ...handles);
      if (result.error) {
        result.error.dispose();
        return { failed: this.failure() };
      }
      const text = context.typeof(result.value) === 'string' ? context.getString(result.value) : '';
      result.value.dispose();
      // An interrupt that the script survived, by catching it in a finally block: its answer does not count.
      return this.stopped === undefined ? { text } : { failed: this.failure() };
    } catch {
      // The engine itself gave up (its memory, its stack): nothing of it can be trusted any more.
      this.isLost = true;
      return { failed: this.outOfMemory() };
    } finally {
      if (!this.isLost) for (const handle of handles) handle.dispose();
    }
  }

  private failure(): { code: number; message: string } {
    if (this.stopped === undefined) return this.outOfMemory();
    this.isLost = true;
    return {
      code: FAILURE,
      message:
        this.stopped === 'time'
          ? `JavaScript function ran longer than ${this.limits.callLimitMs} ms`
          : 'JavaScript execution was interrupted',
    };
  }

  private outOfMemory(): { code: number; message: string } {
    this.isLost = true;
    const mib = Math.round(this.limits.heapBytes / 1_048_576);
    return { code: FAILURE, message: `Out of memory: JavaScript may use ${mib} MiB of heap` };
  }

  private shallStop(): boolean {
    if (this.limits.mustStop()) this.stopped = 'interrupted';
    else if (this.limits.nowMs() > this.callEndsMs) this.stopped = 'time';
    return this.stopped !== undefined;
  }

  /** @returns false when the engine refused to let it go: then the thread must end. */
  dispose(): boolean {
    try {
      this.enter.dispose();
      this.setGlobalsOf.dispose();
      this.context.dispose();
      this.runtime.dispose();
      return true;
    } catch {
      return false;
    }
  }
}

function enteringOrRefusal(given: Buffer): string | { code: number; message: string } {
  try {
    return enteringText(given);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { code: error.code, message: error.message };
  }
}

/** What the script answered may be no value of BSON at all. */
function readAnswer(text: string): Leaving | CommandError {
  try {
    return leavingValue(text);
  } catch (error) {
    if (error instanceof CommandError) return error;
    return new CommandError(
      'JSInterpreterFailure',
      `the script's answer makes no sense: ${String(error)}`,
    );
  }
}

/** The script's own lines of a stack, as MongoDB prints them: `function@:line:column`. */
function framesOf(stack: string): string {
  const frames: string[] = [];
  for (const line of stack.split('\n')) {
    const frame = /^\s*at (\S+ )?\(?<input>:(\d+:\d+)\)?/.exec(line);
    if (frame === null) continue;
    const name = (frame[1] ?? '').trim();
    frames.push(`${name.startsWith('<') ? '' : name}@:${frame[2]}\n`);
  }
  return frames.join('');
}

const FAILURE = ERROR_CODES.JSInterpreterFailure;

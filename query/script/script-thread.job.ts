/**
 * A script thread: answers jobs one after the other, in the sandbox of the session that each belongs to.
 *
 * Owns: its engine (one WebAssembly instance) and the sandboxes in it. The event loop decides which it keeps.
 */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { newQuickJSWASMModuleFromVariant, type QuickJSWASMModule } from 'quickjs-emscripten-core';
import variant from '@jitl/quickjs-ng-wasmfile-release-sync';
import { invariant } from '../../common/assert.ts';
import { systemClock } from '../../common/clock.ts';
import { ERROR_CODES } from '../../common/errors.ts';
import { Sandbox, type SandboxOutcome } from './sandbox.ts';
import {
  SCRIPT_CALL_KINDS,
  type SandboxSetup,
  type ScriptAnswer,
  type ScriptJob,
} from './script-calls.ts';

/** A little below the default: much less, and scripts would starve on a busy machine. */
const SCRIPT_NICENESS = 3;
/** With so much to answer a job ends early, bytes: the rest of its calls is asked for again. */
const MOST_ANSWER_BYTES = 16 * 1024 * 1024;

interface Resident {
  readonly sandbox: Sandbox;
  readonly sources: string[];
  readonly setupFailure: string | undefined;
}

invariant(parentPort !== null, 'script-thread: not in a worker');
const port = parentPort;
// Scripts come after the event loop, which serves everybody. Only Linux counts priorities by thread.
if (process.platform === 'linux') setPriority(SCRIPT_NICENESS);
const control: Int32Array = workerData.control;
const residents = new Map<number, Resident>();
void serve();

async function serve(): Promise<void> {
  // The package's types describe its CommonJS face, where the variant is `default`; Node loads the other one.
  const engine = await newQuickJSWASMModuleFromVariant(
    'default' in variant ? variant.default : variant,
  );
  port.on('message', (job: ScriptJob) => {
    port.postMessage(answerTo(engine, job));
  });
  port.postMessage('ready');
}

function answerTo(engine: QuickJSWASMModule, job: ScriptJob): ScriptAnswer {
  for (const session of job.forget) forget(session);
  const resident = residents.get(job.session) ?? admit(engine, job);
  resident.sources.push(...job.newSources);
  const bytes = Buffer.from(job.bytes.buffer, job.bytes.byteOffset, job.bytes.length);
  const outcomes: SandboxOutcome[] = [];
  let answerBytes = 0;
  for (const [kind, start, end, ...sources] of job.calls) {
    if (resident.sandbox.isLost || answerBytes > MOST_ANSWER_BYTES) break;
    const outcome: SandboxOutcome =
      resident.setupFailure === undefined
        ? resident.sandbox.call(
            SCRIPT_CALL_KINDS[kind]!,
            sources.map((number) => resident.sources[number]!),
            bytes.subarray(start, end),
          )
        : { code: ERROR_CODES.JSInterpreterFailure, message: resident.setupFailure };
    if ('document' in outcome) answerBytes += outcome.document.length;
    outcomes.push(outcome);
  }
  const { isLost } = resident.sandbox;
  if (isLost) forget(job.session);
  return pack(engine, outcomes, isLost);
}

function admit(engine: QuickJSWASMModule, job: ScriptJob): Resident {
  const sandbox = new Sandbox(engine, {
    heapBytes: job.heapBytes,
    callLimitMs: job.callLimitMs,
    mustStop: () => Atomics.load(control, 0) !== 0,
    nowMs: () => systemClock.monotonicMs(),
  });
  const resident = { sandbox, sources: [], setupFailure: setUp(sandbox, job.setup) };
  residents.set(job.session, resident);
  return resident;
}

function setUp(sandbox: Sandbox, setup: SandboxSetup | undefined): string | undefined {
  for (const globals of setup?.globals ?? []) {
    const failure = sandbox.setGlobals(Buffer.from(globals));
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function forget(session: number): void {
  const resident = residents.get(session);
  residents.delete(session);
  // An engine that cannot let go of a sandbox is broken: the event loop starts another thread.
  if (resident !== undefined && !resident.sandbox.dispose()) process.exit(1);
}

function pack(
  engine: QuickJSWASMModule,
  outcomes: readonly SandboxOutcome[],
  sandboxLost: boolean,
): ScriptAnswer {
  const documents: Buffer[] = [];
  let at = 0;
  const packed = outcomes.map((outcome): ScriptAnswer['outcomes'][number] => {
    if (!('document' in outcome)) return outcome;
    documents.push(outcome.document);
    at += outcome.document.length;
    return [at - outcome.document.length, at];
  });
  return {
    outcomes: packed,
    bytes: Buffer.concat(documents),
    engineBytes: engine.getWasmMemory().buffer.byteLength,
    sandboxLost,
  };
}

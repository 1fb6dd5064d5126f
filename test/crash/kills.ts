/**
 * When and where the server is killed.
 *
 * 'random': at any instant, from outside. 'point': the server kills itself with SIGKILL at a named point of a checkpoint, or a few
 * milliseconds behind it. 'step': from outside, while serverStatus shows the step. 'start': while it starts and recovers.
 */
import type { MongoClient } from 'mongodb';
import type { Random } from '../../common/random.ts';
import type { Program } from '../support/programs.ts';

/** The four steps of a checkpoint, as serverStatus names them, with the crash points in each. */
export const STEPS = {
  flush: ['checkpointAfterFreeze', 'checkpointAfterJournalFlush'],
  pages: ['checkpointInPages', 'checkpointAfterPages'],
  index: ['checkpointInIndexCommit', 'checkpointAfterIndexCommit'],
  publish: ['checkpointAfterPublish', 'checkpointAfterSuperblock'],
} as const;

export type Step = keyof typeof STEPS;
export const STEP_NAMES = ['flush', 'pages', 'index', 'publish'] as const satisfies readonly Step[];

export type Kill =
  | { readonly kind: 'random'; readonly afterMs: number }
  | {
      readonly kind: 'point';
      readonly afterMs: number;
      readonly step: Step;
      readonly point: string;
      /** How many times the point is passed before. */
      readonly skip: number;
      /** How long the checkpoint goes on behind the point, milliseconds. */
      readonly delayMs: number;
    }
  | { readonly kind: 'step'; readonly afterMs: number; readonly step: Step };

const LONGEST_MS = 900;
/** A checkpoint of this test takes less; a point that is not reached by then never is. */
const PATIENCE_MS = 15_000;

/** @param cycle so that the steps come in turn. */
export function chooseKill(random: Random, cycle: number, checkpointsHigh: boolean): Kill {
  // Squared: more kills soon after the start, when the journal that was replayed is still all there is.
  const afterMs = 20 + LONGEST_MS * random.next() ** 2;
  if (!checkpointsHigh) return { kind: 'random', afterMs };
  const step = STEP_NAMES[cycle % STEP_NAMES.length] ?? 'flush';
  if (random.next() < 0.3) return { kind: 'step', afterMs, step };
  const points = STEPS[step];
  return {
    kind: 'point',
    afterMs,
    step,
    point: points[random.below(points.length)] ?? points[0],
    skip: random.below(3),
    delayMs: random.next() < 0.5 ? 0 : random.below(8),
  };
}

/** Kills it as planned. @returns the step it was in, if known. */
export async function carryOut(
  kill: Kill,
  program: Program,
  admin: MongoClient,
): Promise<Step | undefined> {
  await sleep(kill.afterMs);
  switch (kill.kind) {
    case 'random':
      await program.kill();
      return undefined;
    case 'step':
      return killInStep(kill.step, program, admin);
    case 'point':
      return killAtPoint(kill, program, admin);
  }
}

async function killAtPoint(
  kill: Kill & { kind: 'point' },
  program: Program,
  admin: MongoClient,
): Promise<Step> {
  await admin
    .db('admin')
    .command({
      configureFailPoint: kill.point,
      mode: kill.skip === 0 ? 'alwaysOn' : { skip: kill.skip },
      data: { crash: true, ...(kill.delayMs === 0 ? {} : { afterMS: kill.delayMs }) },
    })
    // The point may be passed before the answer is through.
    .catch((error: unknown) => error);
  const ended = await Promise.race([program.waitForExit(), sleep(PATIENCE_MS)]);
  if (ended === undefined) {
    await program.kill();
    throw new Error(`the server did not come to ${kill.point} in ${PATIENCE_MS} ms`);
  }
  return kill.step;
}

/** Looks until serverStatus shows the step, then kills. The step may be over by a millisecond. */
async function killInStep(
  step: Step,
  program: Program,
  admin: MongoClient,
): Promise<Step | undefined> {
  const endMs = performance.now() + 2_000;
  let seen = 'idle';
  while (seen !== step && performance.now() < endMs) {
    const status = await admin.db('admin').command({ serverStatus: 1 });
    seen = String(status['flintdb'].engine.checkpoint.step);
  }
  await program.kill();
  return STEP_NAMES.find((each) => each === seen);
}

export function sleep(delayMs: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), delayMs);
  });
}

/**
 * The folders of MongoDB's driver specifications, and how their cases are run: several at a time, each on a server that
 * no other case uses meanwhile, because fail points are the whole server's.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { Program } from '../support/programs.ts';
import { excuseOf } from './excused.ts';
import type { SuiteName } from './suite-names.ts';
import { MalformedCaseError, type TestCase, type TestFile } from './runner/format.ts';
import { loadTestFile } from './runner/load.ts';
import { holds, traitsOf, type ServerTraits } from './runner/requirements.ts';
import { runCase, type ServerUnderTest } from './runner/run-case.ts';

/** Its cases must be refused, not pass. */
const TO_BE_REFUSED: SuiteName = 'unified-test-format/valid-fail';

export interface CaseResult {
  readonly suite: SuiteName;
  /** File and description: unique within a suite. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it failed, was refused or was skipped. */
  readonly reason: string | undefined;
  readonly elapsedMs: number;
}

const FLINTD_ARGS = [
  '--testing',
  ...['strictStandalone=1', 'enableTestCommands=1', 'acceptApiVersion2=1'].flatMap((parameter) => [
    '--setParameter',
    parameter,
  ]),
];

/** Of the 1,031 cases that a standalone of version 8.0 can run, so many must pass. */
export const LEAST_PASSED = 900;

/** No case may hold a lane for longer; one that is excused has shown it earlier. */
const CASE_TIMEOUT_MS = 30_000;
const EXCUSED_CASE_TIMEOUT_MS = 4_000;

/** One server, and one case at a time. */
export class Lane implements ServerUnderTest {
  readonly uri: string;
  readonly internal: MongoClient;
  readonly traits: ServerTraits;
  private readonly program: Program | undefined;

  private constructor(lane: Pick<Lane, 'uri' | 'internal' | 'traits'>, program?: Program) {
    this.uri = lane.uri;
    this.internal = lane.internal;
    this.traits = lane.traits;
    this.program = program;
  }

  /** @param uri of a server that runs already; absent: a flintd of its own. */
  static async open(uri?: string): Promise<Lane> {
    const program = uri === undefined ? await Program.start({ args: FLINTD_ARGS }) : undefined;
    const address = uri ?? program?.uri ?? '';
    const internal = await new MongoClient(address).connect();
    const traits = await traitsOf(internal);
    return new Lane({ uri: address, internal, traits }, program);
  }

  async close(): Promise<void> {
    await this.internal.close();
    await this.program?.dispose();
  }
}

/** So many servers, each for one case at a time. */
export function openLanes(count: number): Promise<readonly Lane[]> {
  silenceTimeoutWarnings();
  return Promise.all(Array.from({ length: count }, () => Lane.open()));
}

/** The driver warns anew of each client whose case sets timeoutMS; what else is warned of is shown as ever. */
function silenceTimeoutWarnings(): void {
  const shown = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.message.startsWith('timeoutMS is a deprecated option')) return;
    for (const show of shown) show.call(process, warning);
  });
}

interface PlannedCase {
  readonly suite: SuiteName;
  readonly name: string;
  /** A file that breaks the format is a case, too: one that is refused. */
  readonly file: TestFile | MalformedCaseError;
  readonly test: TestCase | undefined;
}

/** Runs the cases of a suite over the lanes, and tells of each. */
export async function runSuite(
  folder: string,
  suite: SuiteName,
  lanes: readonly Lane[],
  isWanted: (name: string) => boolean = () => true,
): Promise<CaseResult[]> {
  const cases = planSuite(folder, suite).filter(({ name }) => isWanted(name));
  const results: CaseResult[] = [];
  let next = 0;
  await Promise.all(
    lanes.map(async (lane) => {
      while (next < cases.length) {
        const index = next;
        next += 1;
        results[index] = await resultOf(cases[index], lane);
      }
    }),
  );
  return results;
}

function planSuite(folder: string, suite: SuiteName): PlannedCase[] {
  const names = readdirSync(join(folder, suite)).filter((name) => name.endsWith('.json'));
  return names.sort().flatMap((name): PlannedCase[] => {
    try {
      const file = loadTestFile(join(folder, suite, name));
      return file.tests.map((test) => ({
        suite,
        name: `${name.slice(0, -'.json'.length)}: ${test.description}`,
        file,
        test,
      }));
    } catch (error) {
      if (!(error instanceof MalformedCaseError)) throw error;
      return [{ suite, name: name.slice(0, -'.json'.length), file: error, test: undefined }];
    }
  });
}

async function resultOf(planned: PlannedCase, lane: Lane): Promise<CaseResult> {
  const { suite, name, file, test } = planned;
  const started = performance.now();
  const result = (outcome: CaseResult['outcome'], reason?: string): CaseResult => {
    return { suite, name, outcome, reason, elapsedMs: performance.now() - started };
  };
  const isExcused = excuseOf(suite, name) !== undefined;
  const timeoutMs = isExcused ? EXCUSED_CASE_TIMEOUT_MS : CASE_TIMEOUT_MS;
  const failure = await failureOf(file, test, lane, timeoutMs);
  if (failure?.kind === 'skipped') return result('skipped', failure.reason);
  if (suite !== TO_BE_REFUSED) {
    return failure === undefined ? result('passed') : result('failed', failure.reason);
  }
  return failure === undefined
    ? result('failed', 'it was not refused')
    : result('passed', failure.reason);
}

interface Failure {
  readonly kind: 'failed' | 'skipped';
  readonly reason: string;
}

async function failureOf(
  file: PlannedCase['file'],
  test: TestCase | undefined,
  lane: Lane,
  timeoutMs: number,
): Promise<Failure | undefined> {
  if (file instanceof MalformedCaseError) return { kind: 'failed', reason: file.message };
  if (test === undefined) return { kind: 'failed', reason: 'the file has no such case' };
  const reason =
    test.skipReason ??
    (holds(file.runOnRequirements, lane.traits) && holds(test.runOnRequirements, lane.traits)
      ? undefined
      : 'it asks for another server');
  if (reason !== undefined) return { kind: 'skipped', reason };
  try {
    await runCase(file, test, lane, timeoutMs);
    return undefined;
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

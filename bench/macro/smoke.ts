/**
 * Question: which share of what Node can do at all is left when a real engine works behind the protocol?
 *
 * Estimate beforehand (MEASURED): a responder without storage spends 9-10 us of CPU per operation; a find of 1 KiB by `_id`
 * adds parsing 0.1, validation 0.2, dispatch and session 2-5, an LMDB get or hash 1, a copy 0.2: ratio 0.6-0.7. An insert adds
 * uniqueness 1, delta and journal copies 1.5, checksum 0.2: 0.45. A scan costs 30-110 ns per document in the matcher and as
 * much in the cursor: 5-10 million documents/s.
 *
 * Server and responder run beside each other and are measured in turns, so that a slow spell of the machine meets both.
 * On a machine that others use as well, time on the wall says how many they are: when the generator cannot reach the
 * ceiling's 100,000/s, all floors hold for server CPU instead, the scan's as documents per second of it. The scan reads a
 * base at rest: a checkpoint is taken first, so that none runs beside it.
 */
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { Program } from '../../test/support/programs.ts';
import { runLoad, startResponder, type RunningResponder } from '../load/run.ts';
import type { LoadOptions, LoadResult, Operation } from '../load/load.ts';
import { formatNumber, median, printMachine, printTable } from './report.ts';

/** Documents that find and scan read. */
const LOADED_DOCUMENTS = 100_000;
const INSERT_MANY_BATCH = 1000;
/** The generator is fast enough if the responder answers so many finds with it. */
const CEILING_OPERATIONS_PER_SECOND = 100_000;
const SCAN_FLOOR_DOCUMENTS_PER_SECOND = 2_000_000;

interface Scenario {
  readonly title: string;
  readonly operation: Operation;
  readonly collection: string;
  /** Least share of the ceiling; absent: reported only. */
  readonly floor?: number;
}

const SCENARIOS: readonly Scenario[] = [
  { title: 'find by _id', operation: 'find', collection: 'documents', floor: 0.5 },
  { title: 'insert w:1', operation: 'insert', collection: 'inserted', floor: 0.35 },
  { title: 'insert j:true', operation: 'insertJournaled', collection: 'journaled', floor: 0.25 },
  { title: 'insertMany of 1,000', operation: 'insertMany', collection: 'inserted_many' },
];

interface Settings {
  readonly connections: number;
  readonly depth: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly responderOnly: boolean;
  readonly serverArgs: readonly string[];
}

/** One target of the load: the server or the responder. */
interface Target {
  readonly port: number;
  readonly pid: number;
}

function readSettings(args: readonly string[]): Settings {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      connections: { type: 'string', default: '64' },
      depth: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      'responder-only': { type: 'boolean', default: false },
    },
  });
  return {
    connections: Number(values.connections),
    depth: Number(values.depth),
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    responderOnly: values['responder-only'],
    serverArgs: positionals,
  };
}

/**
 * @param args --connections 64, --depth 1 (operations in flight per connection), --seconds 2, --rounds 3,
 *   --responder-only (the ceiling alone); what follows `--` goes to flintd.
 * @returns whether every floor held.
 */
export async function run(args: readonly string[]): Promise<boolean> {
  const settings = readSettings(args);
  printMachine();
  const responder = await startResponder();
  try {
    if (settings.responderOnly) {
      printCeiling(await measureCeiling(settings, responder));
      return true;
    }
    const server = await Program.start({ args: settings.serverArgs });
    try {
      return await compare(settings, responder, server);
    } finally {
      await server.stop();
      await server.dispose();
    }
  } finally {
    await responder.stop();
  }
}

/** The runs of one scenario, round by round. */
interface Runs {
  readonly scenario: Scenario;
  readonly ceiling: LoadResult[];
  readonly server: LoadResult[];
}

async function measureCeiling(settings: Settings, responder: RunningResponder): Promise<Runs[]> {
  const all: Runs[] = [];
  for (const scenario of SCENARIOS) {
    const runs: Runs = { scenario, ceiling: [], server: [] };
    for (let round = 0; round < settings.rounds; round += 1) {
      runs.ceiling.push(await measure(settings, scenario, responder, 0));
    }
    all.push(runs);
  }
  return all;
}

async function compare(
  settings: Settings,
  responder: RunningResponder,
  server: Program,
): Promise<boolean> {
  await loadDocuments(server);
  const all: Runs[] = [];
  for (const scenario of SCENARIOS) {
    const runs: Runs = { scenario, ceiling: [], server: [] };
    let firstId = 0;
    for (let round = 0; round < settings.rounds; round += 1) {
      runs.ceiling.push(await measure(settings, scenario, responder, 0));
      const result = await measure(settings, scenario, server, firstId);
      firstId = result.nextId;
      runs.server.push(result);
    }
    all.push(runs);
  }
  await takeCheckpoint(server);
  const scans: LoadResult[] = [];
  for (let round = 0; round < settings.rounds; round += 1) {
    scans.push(await measureScan(settings, server));
  }
  return printComparison(all, scans);
}

function optionsFor(settings: Settings, scenario: Scenario, target: Target): LoadOptions {
  return {
    port: target.port,
    operation: scenario.operation,
    collection: scenario.collection,
    connections: settings.connections,
    depth: settings.depth,
    warmupSeconds: Math.min(1, settings.seconds / 2),
    seconds: settings.seconds,
    idsBelow: LOADED_DOCUMENTS,
    firstId: 0,
    batch: INSERT_MANY_BATCH,
    serverPid: target.pid,
  };
}

function measure(
  settings: Settings,
  scenario: Scenario,
  target: Target,
  firstId: number,
): Promise<LoadResult> {
  return runLoad({ ...optionsFor(settings, scenario, target), firstId });
}

async function takeCheckpoint(server: Program): Promise<void> {
  const client = await MongoClient.connect(server.uri);
  await client.db('admin').command({ fsync: 1 });
  await client.close();
}

/** One query at a time: its time is what a client waits for. */
function measureScan(settings: Settings, server: Target): Promise<LoadResult> {
  const scan: Scenario = { title: 'scan', operation: 'scan', collection: 'documents' };
  return runLoad({ ...optionsFor(settings, scan, server), connections: 1, depth: 1 });
}

async function loadDocuments(server: Target): Promise<void> {
  const scenario: Scenario = { title: '', operation: 'insertMany', collection: 'documents' };
  const settings = { connections: 4, depth: 1, seconds: 60, rounds: 1 };
  await runLoad({
    ...optionsFor({ ...settings, responderOnly: false, serverArgs: [] }, scenario, server),
    warmupSeconds: 0,
    stopAfterDocuments: LOADED_DOCUMENTS,
  });
}

/** Medians of one side of one scenario. */
interface Figures {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly generatorShare: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

function figuresOf(results: readonly LoadResult[]): Figures {
  const of = (pick: (result: LoadResult) => number): number => median(results.map(pick));
  return {
    perSecond: of((result) => result.operationsPerSecond),
    cpuUs: of((result) => result.serverCpuUsPerOperation),
    generatorShare: of((result) => result.generatorCpuShare),
    p50: of((result) => result.latencyUs.p50),
    p95: of((result) => result.latencyUs.p95),
    p99: of((result) => result.latencyUs.p99),
  };
}

const HEADER = [
  'operation',
  'target',
  'ops/s',
  'docs/s',
  'CPU us/op',
  'p50 us',
  'p95 us',
  'p99 us',
];

function figureCells(target: string, figures: Figures, documents: number): string[] {
  return [
    target,
    formatNumber(figures.perSecond),
    formatNumber(figures.perSecond * documents),
    formatNumber(figures.cpuUs),
    formatNumber(figures.p50),
    formatNumber(figures.p95),
    formatNumber(figures.p99),
  ];
}

function documentsPerOperation(scenario: Scenario): number {
  return scenario.operation === 'insertMany' ? INSERT_MANY_BATCH : 1;
}

function printCeiling(all: readonly Runs[]): void {
  const rows = all.map(({ scenario, ceiling }) => {
    const figures = figuresOf(ceiling);
    const share = `${Math.round(figures.generatorShare * 100)} %`;
    const cells = figureCells('ceiling', figures, documentsPerOperation(scenario));
    return [scenario.title, ...cells, share];
  });
  printTable([...HEADER, 'generator'], rows);
}

function printComparison(all: readonly Runs[], scans: readonly LoadResult[]): boolean {
  const find = figuresOf(all[0]?.ceiling ?? []);
  const byThroughput = find.perSecond >= CEILING_OPERATIONS_PER_SECOND;
  const rows: string[][] = [];
  let passed = true;
  for (const { scenario, ceiling, server } of all) {
    const documents = documentsPerOperation(scenario);
    const limit = figuresOf(ceiling);
    const own = figuresOf(server);
    const ratio = byThroughput ? own.perSecond / limit.perSecond : limit.cpuUs / own.cpuUs;
    const holds = scenario.floor === undefined || ratio >= scenario.floor;
    passed &&= holds;
    rows.push([scenario.title, ...figureCells('ceiling', limit, documents)]);
    rows.push([
      '',
      ...figureCells('flintd', own, documents),
      ratio.toFixed(2),
      scenario.floor?.toFixed(2) ?? '-',
      verdict(scenario.floor === undefined ? undefined : holds),
    ]);
  }
  const scan = figuresOf(scans);
  const scansPerSecond = byThroughput ? scan.perSecond : 1e6 / scan.cpuUs;
  const scanRate = scansPerSecond * LOADED_DOCUMENTS;
  const scanHolds = scanRate >= SCAN_FLOOR_DOCUMENTS_PER_SECOND;
  rows.push([
    'filter scan of 100,000',
    ...figureCells('flintd', scan, LOADED_DOCUMENTS),
    `${(scanRate / 1e6).toFixed(2)} M/s`,
    '2.00 M/s',
    verdict(scanHolds),
  ]);
  printTable([...HEADER, 'ratio', 'floor', ''], rows);
  process.stdout.write(
    `ratios, and the scan, by ${byThroughput ? 'operations per second' : 'server CPU per operation'}: the ceiling is ${formatNumber(find.perSecond)} finds/s ` +
      `with ${Math.round(find.generatorShare * 100)} % of a core in the generator\n`,
  );
  return passed && scanHolds;
}

function verdict(holds: boolean | undefined): string {
  if (holds === undefined) return '';
  return holds ? 'PASS' : 'FAIL';
}

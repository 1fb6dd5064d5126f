/**
 * `flint top`: what a server does right now: operations a second, latencies, cache, journal, and its longest operations.
 *
 * Promises: on a terminal one screen that is drawn anew; elsewhere one line a round (with --json one document), for logs and
 * scripts. Reads serverStatus and currentOp, nothing else.
 */
import type { Document } from 'bson';
import { sleep, systemClock } from '../../common/clock.ts';
import type { GivenOptions } from '../../server/index.ts';
import { ServerConnection } from '../command-line/server-connection.ts';
import type { Subcommand } from '../command-line/subcommand.ts';

const GROUP = 'Top';
const CLEAR_SCREEN = '\u001b[H\u001b[2J';
const MOST_OPERATIONS = 15;
const MEGABYTE = 1024 * 1024;

export const top: Subcommand = {
  name: 'top',
  summary: 'Shows live operations, latencies, cache and journal of a server.',
  positionals: ['[uri]'],
  description: `Shows what a server does, every second until Ctrl-C. Default mongodb://localhost:27017.

Examples:
  flint top
  flint top mongodb://localhost:27018 --interval 5
  flint top --json --count 1`,
  options: [
    { flag: 'help', short: 'h', type: 'switch', group: GROUP, help: 'Shows this text.' },
    {
      flag: 'interval',
      type: 'number',
      range: [0.1, 86_400],
      value: '<seconds>',
      group: GROUP,
      help: 'Seconds between two rounds. Default 1.',
    },
    {
      flag: 'count',
      type: 'integer',
      range: [1, 1_000_000_000],
      value: '<rounds>',
      group: GROUP,
      help: 'Ends after that many rounds. Default: none.',
    },
    { flag: 'json', type: 'switch', group: GROUP, help: 'Prints one line of JSON a round.' },
  ],
  async run(given, [uri = 'mongodb://localhost:27017']) {
    const server = await ServerConnection.open(uri);
    try {
      await watch(server, given);
      return 0;
    } finally {
      server.close();
    }
  },
};

async function watch(server: ServerConnection, given: GivenOptions): Promise<void> {
  const intervalMs = Number(given.get('interval') ?? 1) * 1000;
  const rounds = Number(given.get('count') ?? Infinity);
  const show = given.get('json') === true ? jsonLine : process.stdout.isTTY ? screen : plainLine;
  let before = await look(server);
  for (let round = 0; round < rounds; round += 1) {
    await sleep(systemClock, intervalMs);
    const now = await look(server);
    process.stdout.write(show(compare(before, now)));
    before = now;
  }
}

interface Look {
  readonly atMs: number;
  readonly status: Document;
  readonly operations: readonly Document[];
}

async function look(server: ServerConnection): Promise<Look> {
  const status = await server.command('admin', { serverStatus: 1 });
  const { inprog } = await server.command('admin', { currentOp: 1, active: true });
  return {
    atMs: systemClock.monotonicMs(),
    status,
    operations: inprog as Document[],
  };
}

/** What one round shows. Rates are per second, latencies milliseconds. */
interface Round {
  readonly rates: Readonly<Record<string, number>>;
  readonly latencies: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly residentMB: number;
  readonly cacheMB: number;
  readonly cacheHitRatio: number;
  readonly deltaMB: number;
  readonly journalMBPerSecond: number;
  readonly flushesPerSecond: number;
  readonly operations: readonly RunningLine[];
}

interface RunningLine {
  readonly opid: number;
  readonly seconds: number;
  readonly op: string;
  readonly ns: string;
  readonly client: string;
}

function compare(before: Look, now: Look): Round {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const change = (path: string): number =>
    numberAt(now.status, path) - numberAt(before.status, path);
  const kinds = ['insert', 'query', 'update', 'delete', 'getmore', 'command'];
  const latency = (group: string): number => {
    const operations = change(`opLatencies.${group}.ops`);
    return operations === 0 ? 0 : change(`opLatencies.${group}.latency`) / operations / 1000;
  };
  const hits = change('flintdb.engine.blocks.cache.hits');
  const misses = change('flintdb.engine.blocks.cache.misses');
  return {
    rates: Object.fromEntries(
      kinds.map((kind) => [kind, Math.round(change(`opcounters.${kind}`) / seconds)]),
    ),
    latencies: {
      reads: latency('reads'),
      writes: latency('writes'),
      commands: latency('commands'),
    },
    connections: numberAt(now.status, 'connections.current'),
    residentMB: numberAt(now.status, 'mem.resident'),
    cacheMB: numberAt(now.status, 'flintdb.engine.blocks.cache.bytes') / MEGABYTE,
    cacheHitRatio: hits + misses === 0 ? 1 : hits / (hits + misses),
    deltaMB: numberAt(now.status, 'flintdb.engine.delta.bytes') / MEGABYTE,
    journalMBPerSecond: change('flintdb.engine.journal.writtenBytes') / MEGABYTE / seconds,
    flushesPerSecond: change('flintdb.engine.journal.deviceFlushes') / seconds,
    operations: now.operations.map(runningLine).sort((a, b) => b.seconds - a.seconds),
  };
}

function runningLine(operation: Document): RunningLine {
  return {
    opid: Number(operation['opid']),
    seconds: Number(operation['microsecs_running']) / 1e6,
    op: String(operation['op']),
    ns: String(operation['ns']),
    client: String(operation['client'] ?? ''),
  };
}

function jsonLine(round: Round): string {
  return `${JSON.stringify(round)}\n`;
}

function plainLine(round: Round): string {
  const rates = Object.entries(round.rates).map(([kind, rate]) => `${kind} ${rate}/s`);
  return `${[...rates, ...summary(round)].join('  ')}\n`;
}

function summary(round: Round): string[] {
  const latencies = Object.entries(round.latencies).map(
    ([group, ms]) => `${group} ${ms.toFixed(2)} ms`,
  );
  return [
    ...latencies,
    `connections ${round.connections}`,
    `resident ${round.residentMB} MB`,
    `cache ${round.cacheMB.toFixed(0)} MB, hits ${(round.cacheHitRatio * 100).toFixed(1)} %`,
    `delta ${round.deltaMB.toFixed(1)} MB`,
    `journal ${round.journalMBPerSecond.toFixed(2)} MB/s, ${round.flushesPerSecond.toFixed(0)} flushes/s`,
  ];
}

function screen(round: Round): string {
  const rates = Object.entries(round.rates).map(([kind, rate]) => `${kind} ${rate}`);
  const head = ['FlintDB  operations a second: ' + rates.join('  '), ...summary(round)];
  const shown = round.operations.slice(0, MOST_OPERATIONS);
  const rows = shown.map(
    ({ opid, seconds, op, ns, client }) =>
      `${String(opid).padStart(10)} ${seconds.toFixed(3).padStart(10)}  ${op.padEnd(8)} ${ns.padEnd(40)} ${client}`,
  );
  const more = round.operations.length - shown.length;
  const title = `${'opid'.padStart(10)} ${'seconds'.padStart(10)}  ${'op'.padEnd(8)} ${'namespace'.padEnd(40)} client`;
  return `${CLEAR_SCREEN}${[...head, '', title, ...rows, ...(more > 0 ? [`and ${more} more`] : [])].join('\n')}\n`;
}

/** A counter by its dotted name; one that the server does not have counts as 0. */
function numberAt(document: Document, path: string): number {
  let at: unknown = document;
  for (const name of path.split('.')) {
    at = typeof at === 'object' && at !== null ? (at as Document)[name] : undefined;
  }
  return Number(at ?? 0);
}

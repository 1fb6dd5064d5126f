/**
 * The server's counters in Prometheus's text format.
 * Source: Prometheus documentation, "Exposition formats", version 0.0.4.
 */
import { memoryUsage } from 'node:process';
import type { EngineStatistics } from '../../storage/index.ts';
import type { ServiceContext } from '../operation/service-context.ts';

interface Sample {
  /** Behind the metric's name. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

/** All metrics as one text. */
export function metricsText(service: ServiceContext): string {
  return [...serverMetrics(service), ...engineMetrics(service.engine.statistics())]
    .map(metricLines)
    .join('');
}

const LATENCY_KINDS = ['reads', 'writes', 'commands'] as const;

function serverMetrics(service: ServiceContext): Metric[] {
  const { metrics, connections, clock, identity } = service;
  const cursors = service.cursors.statistics();
  const labelled = (label: string, counters: Readonly<Record<string, number>>): Sample[] =>
    Object.entries(counters).map(([name, value]) => ({ labels: { [label]: name }, value }));
  return [
    gauge('flintdb_up_seconds', 'Seconds since the start.', [
      { value: (clock.monotonicMs() - identity.startedMonotonicMs) / 1000 },
    ]),
    counter(
      'flintdb_operations_total',
      'Operations by kind, as serverStatus.opcounters counts them.',
      labelled('kind', { ...metrics.operations }),
    ),
    counter(
      'flintdb_commands_total',
      'Commands by name.',
      [...metrics.allCommands()].map(([command, { total }]) => ({
        labels: { command },
        value: total,
      })),
    ),
    counter(
      'flintdb_commands_failed_total',
      'Failed commands by name.',
      [...metrics.allCommands()].map(([command, { failed }]) => ({
        labels: { command },
        value: failed,
      })),
    ),
    counter(
      'flintdb_operation_seconds_total',
      'Summed duration of operations.',
      Object.entries(metrics.latencies).map(([kind, { latencyMicros }]) => ({
        labels: { kind },
        value: latencyMicros / 1e6,
      })),
    ),
    {
      name: 'flintdb_operation_duration_seconds',
      help: 'Duration of operations.',
      type: 'histogram',
      samples: LATENCY_KINDS.flatMap((kind) =>
        durationSamples(
          { kind },
          metrics.latencyHistograms[kind],
          metrics.latencies[kind].latencyMicros,
        ),
      ),
    },
    counter(
      'flintdb_http_requests_total',
      'Requests over HTTP by action (or route) and status.',
      [...metrics.http.all()].flatMap(([action, { statuses }]) =>
        [...statuses].map(([status, value]) => ({
          labels: { action, status: String(status) },
          value,
        })),
      ),
    ),
    {
      name: 'flintdb_http_request_duration_seconds',
      help: 'Duration of requests over HTTP, until the head of their answer.',
      type: 'histogram',
      samples: [...metrics.http.all()].flatMap(([action, { histogram: counts, micros }]) =>
        durationSamples({ action }, counts, micros),
      ),
    },
    gauge('flintdb_operations_running', 'Operations that run now.', [
      { value: service.operations.count },
    ]),
    gauge('flintdb_connections', 'Open connections.', [{ value: connections.current }]),
    counter('flintdb_connections_created_total', 'Connections since the start.', [
      { value: connections.totalCreated },
    ]),
    counter('flintdb_connections_rejected_total', 'Connections refused at the limit.', [
      { value: connections.rejected },
    ]),
    counter('flintdb_network_bytes_total', 'Bytes on the wire.', [
      { labels: { direction: 'in' }, value: metrics.network.bytesIn },
      { labels: { direction: 'out' }, value: metrics.network.bytesOut },
    ]),
    counter('flintdb_messages_malformed_total', 'Messages that were no sound ones.', [
      { value: metrics.network.numMalformed },
    ]),
    gauge('flintdb_cursors_open', 'Open cursors.', [{ value: cursors.total }]),
    counter('flintdb_cursors_timed_out_total', 'Cursors closed for idleness.', [
      { value: cursors.timedOut },
    ]),
    gauge('flintdb_sessions', 'Logical sessions.', [{ value: service.sessions.count }]),
    counter('flintdb_scrub_errors_total', 'Findings of the scrub.', [
      { value: metrics.scrub.errors },
    ]),
    counter('flintdb_scrub_passes_total', 'Passes of the scrub that came to their end.', [
      { value: metrics.scrub.passes },
    ]),
    gauge('flintdb_scrub_last_pass_errors', 'Findings of the last pass of the scrub.', [
      { value: metrics.scrub.lastPassErrors },
    ]),
    gauge('flintdb_memory_bytes', 'Memory of the process.', [
      { labels: { kind: 'resident' }, value: memoryUsage().rss },
      { labels: { kind: 'heap' }, value: memoryUsage().heapUsed },
    ]),
  ];
}

/** The engine's nested counters, one gauge each: { journal: { flushes: 3 } } is flintdb_engine_journal_flushes 3. */
function engineMetrics(statistics: EngineStatistics, prefix = 'flintdb_engine'): Metric[] {
  return Object.entries(statistics).flatMap(([name, value]): Metric[] => {
    const full = `${prefix}_${snakeCase(name)}`;
    if (typeof value === 'object' && typeof value.histogram === 'object') {
      return [histogram(`${full}_us`, value, value.histogram)];
    }
    if (typeof value === 'object') return engineMetrics(value, full);
    if (typeof value === 'string') return [];
    return [gauge(full, 'A counter of the storage engine.', [{ value: Number(value) }])];
  });
}

/** { count, totalUs, histogram: { upper end of the bucket: durations } } as a histogram of Prometheus's. */
function histogram(
  name: string,
  { count, totalUs }: EngineStatistics,
  buckets: EngineStatistics,
): Metric {
  let below = 0;
  const ends = Object.keys(buckets).sort((a, b) => Number(a) - Number(b));
  const samples = ends.map((le): Sample => {
    below += Number(buckets[le]);
    return { suffix: '_bucket', labels: { le }, value: below };
  });
  return {
    name,
    help: 'Microseconds from submit to acknowledgement.',
    type: 'histogram',
    samples: [
      ...samples,
      { suffix: '_bucket', labels: { le: '+Inf' }, value: Number(count) },
      { suffix: '_sum', value: Number(totalUs) },
      { suffix: '_count', value: Number(count) },
    ],
  };
}

/** @param buckets counts by power of two, in microseconds. */
function durationSamples(
  labels: Readonly<Record<string, string>>,
  buckets: readonly number[],
  sumMicros: number,
): Sample[] {
  let below = 0;
  const samples = buckets.slice(0, -1).map((count, power): Sample => {
    below += count;
    return { suffix: '_bucket', labels: { ...labels, le: `${2 ** power / 1e6}` }, value: below };
  });
  const total = below + (buckets.at(-1) ?? 0);
  return [
    ...samples,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: total },
    { suffix: '_sum', labels, value: sumMicros / 1e6 },
    { suffix: '_count', labels, value: total },
  ];
}

function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, '_');
}

function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, help, type: 'counter', samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, help, type: 'gauge', samples };
}

function metricLines({ name, help, type, samples }: Metric): string {
  const lines = samples.map(
    ({ suffix = '', labels, value }) => `${name}${suffix}${labelText(labels)} ${value}\n`,
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  if (labels === undefined) return '';
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return `{${pairs.join(',')}}`;
}

/**
 * /metrics, read by a parser of the exposition format: what it says must be sound, and all that operators ask for must be there.
 * Source: Prometheus documentation, "Exposition formats", version 0.0.4.
 */
import assert from 'node:assert/strict';
import { serverForTests } from '../../support/test-server.ts';

interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: { name: string; labels: Record<string, string>; value: number }[];
}

const SAMPLE =
  /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|\+Inf|NaN)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

describe('server/http: metrics', () => {
  const server = serverForTests({ args: ['--httpPort', '0'] });
  let families: Map<string, Family>;
  before('scrape', async () => {
    const items = server.freshDatabase().collection('items');
    await items.insertOne({ a: 1 }, { writeConcern: { j: true } });
    await items.findOne();
    const port = Number(Reflect.get(server.program.readyLine, 'httpPort'));
    const url = `http://127.0.0.1:${port}`;
    for (const body of [{ database: 'a', collection: 'b' }, { database: 'a' }, { none: 1 }]) {
      await fetch(`${url}/action/findOne`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
    }
    await fetch(`${url}/action/findOne`);
    await fetch(`${url}/../?x=${'y'.repeat(50)}`);
    await fetch(`${url}/healthz`, { headers: { Host: 'evil.example' } });
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    families = parse(await response.text());
  });

  it('hold operations, latencies, journal, checkpoint, cache, queue and connections', () => {
    for (const name of [
      'flintdb_operations_total',
      'flintdb_operation_duration_seconds',
      'flintdb_connections',
      'flintdb_engine_journal_device_flushes',
      'flintdb_engine_checkpoint_failures',
      'flintdb_engine_blocks_cache_misses',
      'flintdb_engine_journal_queue_operations_write_latency_us',
    ]) {
      assert.ok(families.has(name), name);
    }
  });

  it('count what was done', () => {
    const inserts = families
      .get('flintdb_operations_total')
      ?.samples.find(({ labels }) => labels['kind'] === 'insert');
    assert.equal(inserts?.value, 1);
    const durations = families.get('flintdb_operation_duration_seconds')?.samples ?? [];
    for (const kind of ['reads', 'writes']) {
      const total = durations.find(
        ({ name, labels }) => name.endsWith('_count') && labels['kind'] === kind,
      );
      assert.ok(Number(total?.value) >= 1, kind);
    }
  });

  it('count requests over HTTP by action and status, with their durations', async () => {
    const requests = families.get('flintdb_http_requests_total')?.samples ?? [];
    const counted = Object.fromEntries(
      requests.map(({ labels, value }) => [`${labels['action']} ${labels['status']}`, value]),
    );
    assert.deepEqual(counted, {
      'findOne 200': 1,
      'findOne 400': 2,
      'findOne 405': 1,
      'other 404': 1,
      'healthz 200': 1,
    });
    const durations = families.get('flintdb_http_request_duration_seconds')?.samples ?? [];
    const count = durations.find(
      ({ name, labels }) => name.endsWith('_count') && labels['action'] === 'findOne',
    );
    assert.equal(count?.value, 4);
    const status = await server.client.db('admin').command({ serverStatus: 1 });
    const { http } = status['flintdb'];
    assert.deepEqual(http.actions.findOne.statuses, { 200: 1, 400: 2, 405: 1 });
    assert.equal(http.actions.metrics.requests, 1);
    assert.equal(http.requests, 7);
    assert.ok(http.latency > 0);
  });

  it('have histograms whose buckets grow up to their count', () => {
    let checked = 0;
    for (const [name, { type, samples }] of families) {
      if (type !== 'histogram') continue;
      const keyOf = (labels: Record<string, string>) => JSON.stringify({ ...labels, le: '' });
      for (const key of new Set(samples.map(({ labels }) => keyOf(labels)))) {
        const own = samples.filter(({ labels }) => keyOf(labels) === key);
        const buckets = own.filter((sample) => sample.name === `${name}_bucket`);
        const count = own.find((sample) => sample.name === `${name}_count`)?.value;
        const sum = own.find((sample) => sample.name === `${name}_sum`)?.value;
        const ends = buckets.map(({ labels }) => Number(labels['le']?.replace('+Inf', 'Infinity')));
        assert.deepEqual(
          ends,
          [...ends].sort((a, b) => a - b),
          name,
        );
        assert.equal(new Set(ends).size, ends.length, name);
        assert.equal(ends.at(-1), Infinity, name);
        const values = buckets.map(({ value }) => value);
        assert.deepEqual(
          values,
          [...values].sort((a, b) => a - b),
          name,
        );
        assert.equal(values.at(-1), count, name);
        assert.ok(sum !== undefined && sum >= 0, name);
        checked += 1;
      }
    }
    assert.ok(checked >= 5);
  });
});

/** @throws AssertionError for a text that the format does not allow. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: [name: string, text: string] | undefined;
  let current: [name: string, family: Family] | undefined;
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    const [, kind, name = '', rest = ''] = comment ?? [];
    if (kind === 'HELP') help = [name, rest];
    else if (kind === 'TYPE') {
      assert.equal(help?.[0], name, line);
      assert.match(rest, /^(counter|gauge|histogram)$/, line);
      assert.ok(!families.has(name), `${name} twice`);
      current = [name, { type: rest, help: help?.[1] ?? '', samples: [] }];
      families.set(...current);
    } else {
      assert.ok(current !== undefined, line);
      const sample = sampleOf(line);
      const suffixes = current[1].type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      assert.ok(
        suffixes.some((suffix) => sample.name === current?.[0] + suffix),
        line,
      );
      const key = sample.name + JSON.stringify(sample.labels);
      assert.ok(!seen.has(key), `${line} twice`);
      seen.add(key);
      if (current[1].type === 'counter') assert.ok(sample.value >= 0, line);
      current[1].samples.push(sample);
    }
  }
  return families;
}

function sampleOf(line: string): Family['samples'][number] {
  const match = SAMPLE.exec(line);
  assert.ok(match !== null, line);
  const [, name = '', inBraces = '', value = ''] = match;
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let end = 0;
  for (let label = LABEL.exec(inBraces); label !== null; label = LABEL.exec(inBraces)) {
    labels[label[1] ?? ''] = label[2] ?? '';
    end = LABEL.lastIndex;
  }
  assert.equal(end, inBraces.length, line);
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ManualClock } from '../../../common/clock.ts';
import { silentLog } from '../../../common/log.ts';
import { DiagnosticRing } from '../../../server/metrics/diagnostic-ring.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../support/programs.ts';

describe('server/metrics: diagnostic.data', () => {
  let path: string;
  let directory: string;
  let value: number;

  beforeEach(() => {
    path = temporaryDirectory();
    directory = join(path, 'diagnostic.data');
    value = 0;
  });
  afterEach(() => removeTemporaryDirectory(path));

  const open = (directoryBytes: number): DiagnosticRing =>
    new DiagnosticRing({
      directory,
      clock: new ManualClock(),
      log: silentLog,
      sample: () => ({ a: (value += 1), b: { c: true, text: 'left out' } }),
      fileBytes: () => 1_000_000,
      directoryBytes: () => directoryBytes,
    });
  const linesOf = (name: string): unknown[] =>
    gunzipSync(readFileSync(join(directory, name)))
      .toString()
      .trim()
      .split('\n')
      .map((line) => {
        const { t: _time, ...rest } = JSON.parse(line) as Record<string, unknown>;
        return rest;
      });

  it('writes the names once, then what changed', async () => {
    const ring = open(1_000_000);
    ring.collect();
    ring.collect();
    await ring.flush();
    const [name] = readdirSync(directory);
    assert.deepEqual(linesOf(name), [{ names: ['a', 'b.c'], values: [1, 1] }, { d: [1, 0] }]);
  });

  it('begins again with the names after samples that could not be written', async () => {
    writeFileSync(directory, 'in the way');
    const ring = open(1_000_000);
    ring.collect();
    await ring.flush();
    rmSync(directory);
    ring.collect();
    await ring.flush();
    const [name] = readdirSync(directory);
    assert.deepEqual(linesOf(name), [{ names: ['a', 'b.c'], values: [2, 1] }]);
  });

  it('takes the oldest files away, but never the one that it writes', async () => {
    mkdirSync(directory);
    // The clock has gone back since: these names are later than the current one.
    for (const name of ['metrics.2999-01-01', 'metrics.2999-01-02']) {
      writeFileSync(join(directory, name), 'x'.repeat(100));
    }
    const ring = open(10);
    ring.collect();
    await ring.flush();
    ring.collect();
    await ring.flush();
    const [name, ...others] = readdirSync(directory);
    assert.deepEqual(others, []);
    assert.equal(linesOf(name).length, 2);
  });
});

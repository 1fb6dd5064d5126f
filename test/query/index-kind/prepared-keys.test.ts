/**
 * Keys that a thread makes beforehand.
 */
import assert from 'node:assert/strict';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { indexKeyGenerator } from '../../../query/index.ts';
import { PreparedKeys } from '../../../query/index-kind/prepared-keys.ts';
import { keysAtOnce } from '../../../query/index-kind/keys-at-once.ts';
import { openEngine } from '../../../storage/index.ts';
import { bytes, type Plain } from '../executor/store.ts';
import { indexOf } from './indexes.ts';

const LONG = Array.from({ length: 40_000 }, (_, place) => `word${place % 1000}`).join(' ');
const TEXT: Plain = {
  key: { _fts: 'text', _ftsx: 1 },
  weights: { t: 1 },
  default_language: 'english',
  language_override: 'language',
  textIndexVersion: 3,
};

describe('prepared keys', () => {
  it('are those that are made at once', async () => {
    const index = indexOf(TEXT);
    const prepared = new PreparedKeys(systemClock);
    const document = bytes({ _id: 1, t: LONG });
    assert.equal(prepared.keysOf(index, document), undefined);
    await prepared.prepare(index, document);
    assert.equal(prepared.prepare(index, Buffer.from(document)), undefined);
    assert.deepEqual(
      prepared.keysOf(index, document)?.keys.map(({ key }) => key.toString('hex')),
      keysAtOnce(index)
        ?.keysOf(document)
        .keys.map(({ key }) => key.toString('hex')),
    );
    assert.equal(prepared.keysOf(index, bytes({ _id: 2, t: LONG })), undefined);
  });

  it('end with the error that making them at once ends with', async () => {
    const index = indexOf(TEXT);
    const prepared = new PreparedKeys(systemClock);
    const document = bytes({ _id: 1, t: LONG, language: 'klingon' });
    await prepared.prepare(index, document);
    assert.throws(() => prepared.keysOf(index, document), { code: 17_262 });
  });

  it('are waited for by whoever writes', async () => {
    const engine = await openEngine({ keyGenerators: indexKeyGenerator });
    const setUp = engine.begin();
    setUp.createIndex(setUp.createCollection('test.c'), bytes({ v: 2, name: 't', ...TEXT }));
    setUp.commit();
    const document = bytes({ _id: 1, t: LONG });
    const first = engine.begin();
    const pending = ((): Promise<void> | undefined => {
      try {
        first.insert(first.collection('test.c')!, document);
        return undefined;
      } catch (error) {
        assert.ok(error instanceof Error && error.name === 'KeysPendingError');
        return (error as Error & { blocker: Promise<void> }).blocker;
      } finally {
        first.close();
      }
    })();
    assert.ok(pending !== undefined);
    await pending;
    const second = engine.begin();
    second.insert(second.collection('test.c')!, document);
    second.commit();
    second.close();
    const report = await engine.validate('test.c', { full: true }, uninterruptible);
    assert.equal(report.valid, true);
    assert.equal(report.keysPerIndex['t'], 1000);
    await engine.close();
  });
});

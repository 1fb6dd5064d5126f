import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { documentOf, getField } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { SeededRandom, systemRandom } from '../../../common/random.ts';
import { indexKeyGenerator } from '../../../query/index.ts';
import type { CommitNumber, Ident, StorageEngine } from '../../../storage/contract.ts';
import { treeEnd, treePrefix } from '../../../storage/format/tree-key.ts';
import { DEFAULT_MAP_BYTES, openEnvironment } from '../../../storage/indexes/lmdb-environment.ts';
import { openEngine } from '../../../storage/engine.ts';
import { repairStore, verifyStore } from '../../../storage/index.ts';
import { RestoredStore } from '../../../storage/backup/restored-store.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../support/programs.ts';

const NAMESPACE = 'shop.items';
const PIECE_BYTES = 16 * 1024;

function open(dbpath: string): Promise<StorageEngine> {
  // No checkpoint but those that the test asks for.
  return openEngine({
    dbpath,
    checkpointIntervalMs: 0,
    keyGenerators: indexKeyGenerator,
    smallBuildRecords: 100,
    journalRetention: { bytes: 2 ** 30, ms: 0 },
  });
}

function write(engine: StorageEngine, ids: readonly number[], round: number): CommitNumber {
  const transaction = engine.begin();
  const collection = transaction.collection(NAMESPACE) ?? transaction.createCollection(NAMESPACE);
  for (const id of ids) {
    const text = `${round} ${'x'.repeat(id % 700)}`;
    transaction.insert(collection, documentOf({ _id: id, n: id % 17, round, text }));
  }
  const commit = transaction.commit();
  transaction.close();
  return commit;
}

async function removeWhere(engine: StorageEngine, which: (id: number) => boolean): Promise<void> {
  const transaction = engine.begin();
  const collection = transaction.collection(NAMESPACE);
  assert.ok(collection);
  const cursor = transaction.scanRecords(collection);
  const doomed: [number, Buffer][] = [];
  while (await cursor.next()) {
    if (which(idOf(cursor.document))) doomed.push([cursor.recordId, Buffer.from(cursor.document)]);
  }
  cursor.close();
  for (const [recordId, document] of doomed) {
    transaction.delete(collection, recordId as typeof cursor.recordId, document);
  }
  transaction.commit();
  transaction.close();
}

function idOf(document: Buffer): number {
  return getField(document, '_id')?.asNumber() ?? NaN;
}

/** All documents as hex by id, and the ids that the index on n has. */
async function stateOf(engine: StorageEngine): Promise<unknown> {
  const view = engine.snapshot();
  const collection = view.collection(NAMESPACE);
  const documents: string[] = [];
  const indexes: Record<string, number> = {};
  if (collection !== undefined) {
    const cursor = view.scanRecords(collection);
    while (await cursor.next()) documents.push(cursor.document.toString('hex'));
    cursor.close();
    for (const index of collection.indexes) {
      const entries = view.scanIndex(index, {}, 1);
      let count = 0;
      while (entries.next()) count += 1;
      entries.close();
      indexes[index.name] = count;
    }
    const report = await engine.validate(NAMESPACE, { full: true }, uninterruptible);
    assert.deepEqual(report.errors, []);
    assert.equal(report.valid, true);
  }
  view.close();
  return { documents, indexes };
}

function ids(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

/** Copies an open backup, and journal up to `upTo`, into a directory. */
async function copy(
  engine: StorageEngine,
  dbpath: string,
  whileCopying: () => Promise<void> = () => Promise.resolve(),
): Promise<{ restored: RestoredStore; commitNumber: CommitNumber }> {
  const backup = await engine.openBackup();
  const restored = await RestoredStore.create({
    dbpath,
    point: backup.point,
    clock: systemClock,
    random: systemRandom,
    overwrite: false,
  });
  await whileCopying();
  for (let after: Buffer | undefined, isLast = false; !isLast;) {
    const piece = backup.entriesAfter(after, PIECE_BYTES);
    await restored.putEntries(piece.bytes);
    ({ last: after = after, isLast } = piece);
  }
  backup.releaseEntries();
  for (const run of backup.runs) {
    await whileCopying();
    await restored.putSectors(run.first, await backup.readSectors(run));
  }
  backup.close();
  return { restored, commitNumber: backup.point.commitNumber };
}

/** Overwrites every value of a tree. */
async function rotTree(dbpath: string, tree: Ident): Promise<void> {
  const environment = openEnvironment(join(dbpath, 'index.lmdb'), DEFAULT_MAP_BYTES);
  environment.transactionSync(() => {
    const range = { start: treePrefix(tree), end: treeEnd(tree) };
    const keys = Array.from(environment.getKeys(range));
    for (const key of keys) {
      environment.putSync(key, Buffer.from('rotten'));
    }
  });
  await environment.close();
}

async function journalOf(engine: StorageEngine, after: CommitNumber): Promise<Buffer> {
  const tail = await engine.openJournalTail(after);
  const pieces: Buffer[] = [];
  for (;;) {
    const { bytes } = await tail.read(PIECE_BYTES);
    if (bytes.length === 0) break;
    assert.ok(bytes.length <= PIECE_BYTES);
    pieces.push(bytes);
  }
  await tail.close();
  return Buffer.concat(pieces);
}

describe('a restored store', () => {
  let directory = '';
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => removeTemporaryDirectory(directory));
  const sourcePath = (): string => join(directory, 'source');
  const targetPath = (): string => join(directory, 'target');

  async function source(): Promise<StorageEngine> {
    const { mkdirSync } = await import('node:fs');
    mkdirSync(sourcePath());
    return open(sourcePath());
  }

  async function stateOfTarget(): Promise<unknown> {
    const engine = await open(targetPath());
    const state = await stateOf(engine);
    // It is written to as any other, and opens again.
    write(engine, [1_000_000], 9);
    await engine.close();
    const again = await open(targetPath());
    await again.close();
    return state;
  }

  it('gets of the journal what was committed just before it was asked for', async () => {
    const engine = await source();
    const before = write(engine, ids(1), 1);
    write(engine, ids(100, 1), 1);
    const entries = await journalOf(engine, before);
    assert.ok(entries.length > 100 * 20, `${entries.length} bytes`);
    await engine.close();
  });

  it('is the store as it was when the backup was opened, whatever was written while it was copied', async () => {
    const engine = await source();
    write(engine, ids(800), 1);
    await engine.checkpoint();
    await removeWhere(engine, (id) => id % 3 === 0);
    const before = await stateOf(engine);
    let round = 0;
    const { restored } = await copy(engine, targetPath(), async () => {
      round += 1;
      write(engine, ids(300, round * 10_000), round);
      await removeWhere(engine, (id) => id % 5 === round % 5);
      // Extents are freed, and would be used again, were they not held.
      if (round > 3) return;
      await engine.checkpoint();
      await engine.checkpoint();
    });
    await restored.finish();
    await engine.close();
    assert.deepEqual(await stateOfTarget(), before);
  });

  it('is copied from sectors that stay as they are, also when the entries have been let go', async () => {
    const engine = await source();
    const random = new SeededRandom(1);
    // Of a length that fills extents of the collection's own, however it is compressed.
    const fill = (round: number): void => {
      const transaction = engine.begin();
      const collection =
        transaction.collection(NAMESPACE) ?? transaction.createCollection(NAMESPACE);
      for (let n = 0; n < 500; n += 1) {
        const noise = random.bytes(8000).toString('latin1');
        transaction.insert(collection, documentOf({ _id: round * 1000 + n, noise }));
      }
      transaction.commit();
      transaction.close();
    };
    fill(1);
    const backup = await engine.openBackup();
    const sectors = async (): Promise<string[]> => {
      const hashes: string[] = [];
      for (const run of backup.runs) {
        hashes.push(
          createHash('sha256')
            .update(await backup.readSectors(run))
            .digest('hex'),
        );
      }
      return hashes;
    };
    const before = await sectors();
    backup.releaseEntries();
    // What was freed would be discarded and filled again by the second checkpoint after.
    for (let round = 2; round < 6; round += 1) {
      await removeWhere(engine, () => true);
      fill(round);
      await engine.checkpoint();
    }
    assert.deepEqual(await sectors(), before);
    backup.close();
    assert.throws(() => backup.entriesAfter(undefined, 1), /let go/);
    await assert.rejects(backup.readSectors({ first: 0, count: 1 }), /not in the backup/);
    await engine.close();
  });

  it('of an empty store is empty', async () => {
    const engine = await source();
    const { restored } = await copy(engine, targetPath());
    await restored.finish();
    await engine.close();
    assert.deepEqual(await stateOfTarget(), { documents: [], indexes: {} });
  });

  it('goes on through the journal, over index builds that began before the backup and ended behind it', async () => {
    const engine = await source();
    write(engine, ids(1500), 1);
    const spec = documentOf({ v: 2, key: documentOf({ n: 1 }), name: 'n_1' });
    let building: Promise<void> | undefined;
    const { restored, commitNumber } = await copy(engine, targetPath(), async () => {
      building ??= engine.buildIndexes(
        NAMESPACE,
        [documentOf({ v: 2, key: documentOf({ round: 1 }), name: 'round_1' }), spec],
        uninterruptible,
      );
      await building;
    });
    write(engine, ids(50, 50_000), 2);
    await removeWhere(engine, (id) => id % 7 === 0);
    const last = write(engine, [99_999], 3);
    await engine.flushed(last);
    await restored.appendJournal(await journalOf(engine, commitNumber));
    assert.equal(restored.lastCommit, last);
    await restored.finish();
    const after = await stateOf(engine);
    await engine.close();
    assert.deepEqual(await stateOfTarget(), after);
  });

  it('takes up an index build that was under way in its base', async () => {
    const engine = await source();
    write(engine, ids(1500), 1);
    const spec = documentOf({ v: 2, key: documentOf({ n: 1 }), name: 'n_1' });
    const building = engine.buildIndexes(NAMESPACE, [spec], uninterruptible);
    // The first checkpoint of the build has frozen the collection by then.
    const { restored, commitNumber } = await copy(engine, targetPath());
    await building;
    await removeWhere(engine, (id) => id % 2 === 0);
    const last = write(engine, [99_999], 3);
    await engine.flushed(last);
    await restored.appendJournal(await journalOf(engine, commitNumber));
    await restored.finish();
    const after = await stateOf(engine);
    await engine.close();
    assert.deepEqual(await stateOfTarget(), after);
  });

  it('has one index of a name when the journal tells of one that was made anew', async () => {
    const first = await source();
    write(first, ids(300), 1);
    const spec = documentOf({ v: 2, key: documentOf({ n: 1 }), name: 'n_1' });
    await first.buildIndexes(NAMESPACE, [spec], uninterruptible);
    const { restored, commitNumber } = await copy(first, targetPath());
    const view = first.snapshot();
    const damaged = view.collection(NAMESPACE)?.indexes[1];
    view.close();
    assert.ok(damaged !== undefined);
    await first.close();
    await rotTree(sourcePath(), damaged.ident);

    const second = await open(sourcePath());
    const repair = { what: 'all' as const, lostAndFound: () => 'local.lost' };
    const options = { full: true, repair };
    const report = await second.validate(NAMESPACE, options, uninterruptible);
    assert.deepEqual(report.errors, []);
    const last = write(second, [99_999], 3);
    await second.flushed(last);
    await restored.appendJournal(await journalOf(second, commitNumber));
    await restored.finish();
    const after = await stateOf(second);
    await second.close();
    assert.deepEqual(await stateOfTarget(), after);
    const target = await open(targetPath());
    const names = target
      .snapshot()
      .collection(NAMESPACE)
      ?.indexes.map(({ name }) => name);
    assert.deepEqual(names, ['_id_', 'n_1']);
    await target.close();
  });

  it('is opened by no server before it is finished, and begun anew', async () => {
    const engine = await source();
    write(engine, ids(100), 1);
    const before = await stateOf(engine);
    const first = await copy(engine, targetPath());
    await first.restored.abandon();
    const half = { dbpath: targetPath(), clock: systemClock, random: systemRandom };
    const opening = [
      () => open(targetPath()),
      // It would make a store of the half that is there.
      () => repairStore({ ...half, keyGenerators: indexKeyGenerator }),
      () => verifyStore({ ...half, keyGenerators: indexKeyGenerator }),
    ];
    for (const each of opening) await assert.rejects(each(), /has not ended: run the same/);
    const second = await copy(engine, targetPath());
    await second.restored.finish();
    assert.deepEqual(await stateOfTarget(), before);
    await assert.rejects(copy(engine, targetPath()), /is not empty/);
    await engine.close();
    rmSync(targetPath(), { recursive: true });
  });
});

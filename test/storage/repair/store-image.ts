/** A store that was killed with work in its base, in its journal, and nothing written down cleanly; and what it must hold. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { documentOf, getField } from '../../../bson/index.ts';
import { systemClock } from '../../../common/clock.ts';
import { uninterruptible } from '../../../common/interruption.ts';
import { systemRandom } from '../../../common/random.ts';
import {
  openEngine,
  repairStore,
  type RepairReport,
  type StorageEngine,
} from '../../../storage/index.ts';
import {
  A_INDEX,
  createCollection,
  findByIndex,
  insert,
  remove,
  update,
} from '../engine/fixture.ts';

/** Value of `a` by `_id`, per collection. */
export type Contents = Map<string, Map<number, number>>;

export interface Image {
  /** As of the last checkpoint, and with the journal. */
  readonly base: Contents;
  readonly all: Contents;
}

const TEXT = 'x'.repeat(300);
/** Its page is longer than an extent. */
const INCOMPRESSIBLE = createHash('shake256', { outputLength: 750_000 }).digest('hex');

/** Fills an empty directory. What it leaves is what kill -9 leaves. @param older gets the store as it was after its first checkpoint */
export async function makeImage(dbpath: string, older?: string): Promise<Image> {
  const live = `${dbpath}.live`;
  await cp(dbpath, live, { recursive: true });
  const engine = await openEngine({ dbpath: live, checkpointIntervalMs: 0 });
  try {
    const a = createCollection(engine, 'test.a', A_INDEX);
    const b = createCollection(engine, 'test.b');
    const gone = createCollection(engine, 'test.gone', A_INDEX);
    const ids = new Map<number, ReturnType<typeof insert>['recordId']>();
    const contents: Contents = new Map([
      ['test.a', new Map()],
      ['test.b', new Map()],
    ]);
    const inA = contents.get('test.a')!;
    const put = (id: number, value: number): void => {
      ids.set(id, insert(engine, a, documentOf({ _id: id, a: value, t: TEXT })).recordId);
      inA.set(id, value);
    };
    for (let id = 0; id < 400; id += 1) put(id, id % 50);
    for (let id = 0; id < 40; id += 1) {
      insert(engine, b, documentOf({ _id: id, a: id }));
      contents.get('test.b')!.set(id, id);
      insert(engine, gone, documentOf({ _id: id, a: id, t: TEXT }));
    }
    insert(engine, b, documentOf({ _id: 40, a: 40, t: INCOMPRESSIBLE }));
    contents.get('test.b')!.set(40, 40);
    await engine.checkpoint();
    if (older !== undefined) await copyStore(live, older);
    for (let id = 0; id < 400; id += 7) await drop(id);
    for (let id = 1; id < 400; id += 5) await change(id, 1000 + id);
    const transaction = engine.begin();
    transaction.dropCollection(gone);
    transaction.commit();
    await engine.checkpoint();
    const base = copyOf(contents);
    for (let id = 3; id < 400; id += 11) await drop(id);
    for (let id = 2; id < 400; id += 13) await change(id, 2000 + id);
    for (let id = 400; id < 450; id += 1) put(id, id);
    const view = engine.snapshot();
    const { commitNumber } = view;
    view.close();
    await engine.flushed(commitNumber);
    await copyStore(live, dbpath);
    return { base, all: copyOf(contents) };

    async function drop(id: number): Promise<void> {
      if (!inA.delete(id)) return;
      await remove(engine, a, ids.get(id)!);
    }
    async function change(id: number, value: number): Promise<void> {
      if (!inA.has(id)) return;
      await update(engine, a, ids.get(id)!, documentOf({ _id: id, a: value, t: TEXT }));
      inA.set(id, value);
    }
  } finally {
    await engine.close();
    await rm(live, { recursive: true, force: true });
  }
}

async function copyStore(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  // Sockets cannot be copied, and files that are still being made may have another name by then.
  const filter = (path: string): boolean =>
    !path.includes('flintd') && !path.endsWith('.unfinished');
  await cp(from, to, { recursive: true, filter });
}

function copyOf(contents: Contents): Contents {
  return new Map(Array.from(contents, ([name, documents]) => [name, new Map(documents)]));
}

export function repair(dbpath: string): Promise<RepairReport> {
  return repairStore({
    dbpath,
    clock: systemClock,
    random: systemRandom,
    keyGenerators: () => undefined,
  });
}

/** Opens the store, reads everything by scan and by index, and validates it. */
export async function assertContents(
  dbpath: string,
  expected: Contents,
  options: { readonly others?: readonly string[] } = {},
): Promise<void> {
  const engine = await openEngine({ dbpath, checkpointIntervalMs: 0 });
  try {
    const view = engine.snapshot();
    const namespaces = view.collections().map(({ namespace }) => namespace);
    assert.deepEqual(namespaces, [...expected.keys(), ...(options.others ?? [])].sort());
    view.close();
    for (const [namespace, documents] of expected) {
      assert.deepEqual(await readAll(engine, namespace), new Map([...documents].sort(byId)));
      await assertIndexed(engine, namespace, documents);
      const report = await engine.validate(namespace, { full: true }, uninterruptible);
      assert.deepEqual(report.errors, []);
    }
    // It takes writes, under record ids that were never used.
    const a = engine.snapshot();
    const collection = a.collection('test.a');
    a.close();
    if (collection === undefined) return;
    const { recordId } = insert(engine, collection, documentOf({ _id: 'new', a: 5 }));
    assert.ok(recordId > 400);
    await engine.checkpoint();
    const transaction = engine.begin();
    transaction.delete(collection, recordId, (await transaction.record(collection, recordId))!);
    transaction.commit();
  } finally {
    await engine.close();
  }
}

export async function readAll(
  engine: StorageEngine,
  namespace: string,
): Promise<Map<number, number>> {
  const view = engine.snapshot();
  const found = new Map<number, number>();
  const cursor = view.scanRecords(view.collection(namespace)!);
  while (await cursor.next()) {
    const { document } = cursor;
    found.set(getField(document, '_id')!.asNumber(), getField(document, 'a')!.asNumber());
  }
  cursor.close();
  view.close();
  return new Map([...found].sort(byId));
}

async function assertIndexed(
  engine: StorageEngine,
  namespace: string,
  documents: ReadonlyMap<number, number>,
): Promise<void> {
  const view = engine.snapshot();
  const collection = view.collection(namespace)!;
  const index = collection.indexes.find(({ name }) => name === 'a_1');
  for (const [id, value] of [...documents].slice(0, 20)) {
    assert.deepEqual(await findByIndex(view, collection, '_id_', id, 'a'), [value]);
    if (index === undefined) continue;
    const found = await findByIndex(view, collection, 'a_1', value, '_id');
    assert.ok(found.includes(id), `a_1 finds ${id}`);
  }
  view.close();
}

function byId(a: [number, number], b: [number, number]): number {
  return a[0] - b[0];
}

/** Hash of every file, by path: to see that nothing was written. */
export async function hashesOf(dbpath: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const entry of await readdir(dbpath, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    hashes.set(
      path,
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    );
  }
  return hashes;
}

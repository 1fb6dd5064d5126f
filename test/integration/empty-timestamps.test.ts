/**
 * Timestamp(0, 0) at the top level: filled in by inserts and replacements, kept by everything else, and by all of them
 * when bypassEmptyTsReplacement says so. (mongorestore and mongoimport say so.)
 */
import assert from 'node:assert/strict';
import { Timestamp, type Db } from 'mongodb';
import { serverForTests } from '../support/test-server.ts';

const EMPTY = new Timestamp(0n);

describe('empty timestamps', () => {
  const server = serverForTests();

  /** Whether field `a` of the document that a write left is empty. */
  const isEmptyAfter = async (
    db: Db,
    write: (id: number) => object,
    id: number,
  ): Promise<boolean> => {
    await db.command(write(id));
    const document = await db.collection<{ _id: number; a?: Timestamp }>('c').findOne({ _id: id });
    assert.ok(document?.a instanceof Timestamp);
    return document.a.equals(EMPTY);
  };
  const update = (u: object, upsert: boolean) => (_id: number) => ({
    update: 'c',
    updates: [{ q: { _id }, u, upsert }],
  });
  const findAndModify = (u: object, upsert: boolean) => (_id: number) => ({
    findAndModify: 'c',
    query: { _id },
    update: u,
    upsert,
  });
  const pipeline = [{ $addFields: { a: EMPTY } }];

  const writes: [
    name: string,
    isFilled: boolean,
    isUpsert: boolean,
    write: (id: number) => object,
  ][] = [
    ['a replacing update', true, false, update({ a: EMPTY }, false)],
    ['a replacing findAndModify', true, false, findAndModify({ a: EMPTY }, false)],
    ['a replacing upsert', true, true, update({ a: EMPTY }, true)],
    ['a replacing findAndModify that upserts', true, true, findAndModify({ a: EMPTY }, true)],
    ['$set', false, false, update({ $set: { a: EMPTY } }, false)],
    ['$set of an upsert', false, true, update({ $set: { a: EMPTY } }, true)],
    ['$set of findAndModify', false, false, findAndModify({ $set: { a: EMPTY } }, false)],
    ['a pipeline', false, false, update(pipeline, false)],
    ['a pipeline of an upsert', false, true, update(pipeline, true)],
    ['a pipeline of findAndModify', false, false, findAndModify(pipeline, false)],
  ];
  for (const [name, isFilled, isUpsert, write] of writes) {
    it(`are ${isFilled ? 'filled in' : 'kept'} by ${name}, and kept on request`, async () => {
      const db = server.freshDatabase();
      if (!isUpsert) await db.collection<{ _id: number }>('c').insertMany([{ _id: 1 }, { _id: 2 }]);
      assert.equal(await isEmptyAfter(db, write, 1), !isFilled);
      const bypassing = (id: number) => ({ ...write(id), bypassEmptyTsReplacement: true });
      assert.equal(await isEmptyAfter(db, bypassing, 2), true);
    });
  }

  it('are kept in _id', async () => {
    const db = server.freshDatabase();
    await db.command({
      update: 'c',
      updates: [{ q: { _id: EMPTY }, u: { _id: EMPTY, n: 1 }, upsert: true }],
    });
    assert.deepEqual(await db.collection('c').find().toArray(), [{ _id: EMPTY, n: 1 }]);
  });
});

/**
 * validate with repair against a real server on real files, whose LMDB environment was damaged while the server was down.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Int32, MongoClient, type Db, type Document } from 'mongodb';
import { encodeIndexKey, int32Value } from '../../bson/index.ts';
import {
  DEFAULT_MAP_BYTES,
  openEnvironment,
  type Environment,
} from '../../storage/indexes/lmdb-environment.ts';
import { sealedValue } from '../../storage/indexes/sealed-value.ts';
import { Program } from '../support/programs.ts';

const IDENT_BYTES = 6;
const RECORD_ID_BYTES = 6;
const DOCUMENTS = 500;

describe('validate with repair', () => {
  let flintd: Program;
  let client: MongoClient;
  let database: Db;
  const validate = (options: Document = {}): Promise<Document> =>
    database.command({ validate: 'c', ...options });

  beforeEach(async () => {
    flintd = await Program.start();
    await connect();
    const documents = Array.from({ length: DOCUMENTS }, (_, a) => ({
      a: new Int32(a),
      text: `word${a}`,
    }));
    await database.collection('c').insertMany(documents);
    await database.collection('c').createIndex({ a: 1 });
  });

  afterEach(async () => {
    await client.close();
    await flintd.dispose();
  });

  async function connect(): Promise<void> {
    client = await new MongoClient(flintd.uri).connect();
    database = client.db('test');
  }

  /** Stops the server, changes its index store, and starts it again. */
  async function damage(change: (environment: Environment) => void): Promise<void> {
    await client.close();
    await flintd.stop();
    const environment = openEnvironment(join(flintd.dbpath, 'index.lmdb'), DEFAULT_MAP_BYTES);
    environment.transactionSync(() => change(environment));
    await environment.close();
    await flintd.restart();
    await connect();
  }

  it('mends entries that are missing, of no document, or of another key, and kill -9 undoes nothing', async () => {
    await damage((environment) => {
      for (const value of [7, 70, 77]) environment.removeSync(entryOf(environment, value));
      const moved = Buffer.from(entryOf(environment, 100));
      keyOf(5000).copy(moved, IDENT_BYTES);
      environment.putSync(moved, sealedValue(moved, Buffer.alloc(0)));
      const orphan = Buffer.from(entryOf(environment, 200));
      orphan.writeUInt16BE(9999, orphan.length - 2);
      environment.putSync(orphan, sealedValue(orphan, Buffer.alloc(0)));
    });
    const found = await validate();
    assert.equal(found['valid'], false);
    assert.equal(found['repaired'], false);
    assert.equal(found['numRemovedExtraIndexEntries'], undefined);
    assert.equal(found['missingIndexEntries'].length, 3);
    assert.equal(found['extraIndexEntries'].length, 2);
    assert.match(found['advice'], /repair: true/);
    assert.equal(await database.collection('c').countDocuments({ a: 70 }), 0);

    const mended = await validate({ repair: true, full: true });
    assert.equal(mended['valid'], true, JSON.stringify(mended['errors']));
    assert.equal(mended['repaired'], true);
    assert.equal(mended['numRemovedCorruptRecords'], 0);
    assert.equal(mended['numRemovedExtraIndexEntries'], 2);
    assert.equal(mended['numInsertedMissingIndexEntries'], 3);
    assert.equal(mended['numDocumentsMovedToLostAndFound'], 0);
    assert.equal(mended['numOutdatedMissingIndexEntry'], 0);
    assert.deepEqual(mended['keysPerIndex'], { _id_: DOCUMENTS, a_1: DOCUMENTS });
    assert.deepEqual(mended['missingIndexEntries'], []);
    assert.equal(mended['advice'], undefined);

    await client.close();
    await flintd.kill();
    await flintd.restart();
    await connect();
    const after = await validate({ full: true });
    assert.equal(after['valid'], true, JSON.stringify(after['errors']));
    assert.equal(await database.collection('c').countDocuments({ a: { $in: [7, 70, 77] } }), 3);
  });

  it('makes an index anew of which entries cannot be read', async () => {
    await damage((environment) => {
      const key = entryOf(environment, 250);
      environment.putSync(key, Buffer.from('rotten'));
    });
    await assert.rejects(database.collection('c').find({ a: 250 }).hint('a_1').toArray(), {
      code: 301,
    });
    const mended = await validate({ repair: true });
    assert.equal(mended['valid'], true, JSON.stringify(mended['errors']));
    assert.deepEqual(mended['warnings'], ['Index a_1 was built anew.']);
    assert.equal((await database.collection('c').findOne({ a: 250 }))?.['text'], 'word250');
    await client.close();
    await flintd.kill();
    await flintd.restart();
    await connect();
    assert.equal((await validate({ full: true }))['valid'], true);
    const names = (await database.collection('c').indexes()).map(({ name }) => name);
    assert.deepEqual(names, ['_id_', 'a_1']);
  });

  it('makes the index on _id anew, too, which stays the first', async () => {
    const collection = database.collection<{ _id: number }>('c');
    await collection.insertOne({ _id: 123_456 });
    await damage((environment) => {
      environment.putSync(entryOf(environment, 123_456), Buffer.from('rotten'));
    });
    const found = await validate();
    assert.deepEqual(found['indexDetails']['_id_'], { valid: false });
    const mended = await validate({ repair: true });
    assert.equal(mended['valid'], true, JSON.stringify(mended['errors']));
    assert.deepEqual(mended['warnings'], [
      'Index _id_ was built anew.',
      'Index a_1 was built anew.',
    ]);
    const names = (await database.collection('c').indexes()).map(({ name }) => name);
    assert.deepEqual(names, ['_id_', 'a_1']);
    const again = database.collection<{ _id: number }>('c');
    assert.equal(await again.countDocuments({ _id: 123_456 }), 1);
    await assert.rejects(again.insertOne({ _id: 123_456 }), { code: 11000 });
  });

  it('cannot make a unique index anew over duplicates: it says so, and all stays as it is', async () => {
    const collection = database.collection('c');
    await collection.dropIndex('a_1');
    await collection.createIndex({ a: 1 }, { unique: true });
    await damage((environment) => environment.removeSync(entryOf(environment, 70)));
    await database.collection('c').insertOne({ a: new Int32(70), text: 'newer' });
    await damage((environment) => {
      environment.putSync(entryOf(environment, 250), Buffer.from('rotten'));
    });
    const mended = await validate({ repair: true });
    assert.equal(mended['valid'], false);
    assert.equal(mended['repaired'], false);
    assert.match(mended['errors'].join(), /index a_1: it cannot be built anew: E11000/);
    assert.match(mended['advice'], /flint repair/);
    assert.equal(await database.collection('c').countDocuments({ text: 'newer' }), 1);
    assert.equal((await database.collection('c').indexes()).length, 2);
  });

  it('mends buckets of a time series under its own name, and refuses views', async () => {
    await database.createCollection('weather', { timeseries: { timeField: 't', metaField: 'm' } });
    await database.collection('weather').insertOne({ t: new Date(), m: 1 });
    const report = await database.command({ validate: 'weather', repair: true });
    assert.equal(report['valid'], true);
    await database.command({ create: 'v', viewOn: 'c', pipeline: [] });
    await assert.rejects(database.command({ validate: 'v', repair: true }), { code: 166 });
  });

  it('mends beside clients that write, who notice nothing', async () => {
    await damage((environment) => {
      for (let value = 0; value < DOCUMENTS; value += 3) {
        environment.removeSync(entryOf(environment, value));
      }
    });
    const collection = database.collection('c');
    let running = true;
    const writing = (async (): Promise<number> => {
      for (let round = 0; running; round += 1) {
        const a = round % DOCUMENTS;
        await collection.updateOne({ text: `word${a}` }, { $inc: { a: 1 } });
        await collection.updateOne({ text: `word${a}` }, { $set: { a: new Int32(a) } });
      }
      return 0;
    })();
    const mended = await validate({ repair: true });
    running = false;
    await writing;
    assert.deepEqual(mended['errors'], []);
    const after = await validate({ full: true });
    assert.equal(after['valid'], true, JSON.stringify(after['errors']));
    assert.deepEqual(after['keysPerIndex'], { _id_: DOCUMENTS, a_1: DOCUMENTS });
  });

  it('moves the older of two documents with one unique key where MongoDB moves it', async () => {
    const collection = database.collection('c');
    await collection.dropIndex('a_1');
    await collection.createIndex({ a: 1 }, { unique: true });
    await damage((environment) => environment.removeSync(entryOf(environment, 70)));
    await database.collection('c').insertOne({ a: new Int32(70), text: 'newer' });
    const mended = await validate({ repair: true });
    assert.equal(mended['valid'], true, JSON.stringify(mended['errors']));
    assert.equal(mended['numDocumentsMovedToLostAndFound'], 1);
    const [listed] = await database.listCollections({ name: 'c' }).toArray();
    assert.ok(listed !== undefined && 'info' in listed && listed.info?.uuid !== undefined);
    const lost = client
      .db('local')
      .collection(`lost_and_found.${listed.info.uuid.toUUID().toHexString()}`);
    assert.deepEqual(
      (await lost.find().toArray()).map(({ text }) => text),
      ['word70'],
    );
    const left = await database.collection('c').find({ a: 70 }).toArray();
    assert.deepEqual(
      left.map(({ text }) => text),
      ['newer'],
    );
  });

  it('refuses what MongoDB refuses on a standalone', async () => {
    const invalid = { code: 72 };
    await assert.rejects(validate({ background: true, full: true }), invalid);
    await assert.rejects(validate({ background: true, repair: true }), invalid);
    await assert.rejects(validate({ fixMultikey: false, repair: true }), invalid);
    await assert.rejects(validate({ background: true }), { code: 115 });
    await assert.rejects(validate({ metadata: true, repair: true }), { code: 238 });
    assert.equal((await validate({ background: false, repair: false }))['repaired'], false);
    const fixed = await validate({ fixMultikey: true, repair: true });
    assert.equal(fixed['valid'], true);
    assert.equal(fixed['repaired'], false);
    await assert.rejects(database.command({ validate: 'none', repair: true }), { code: 26 });
  });

  it('forgets arrays that are no more', async () => {
    const collection = database.collection('c');
    await collection.insertOne({ a: [1, 2] });
    await collection.deleteOne({ a: [1, 2] });
    const isMultikey = async (): Promise<boolean> => {
      const plan = await database.collection('c').find({ a: 5 }).explain('queryPlanner');
      return JSON.stringify(plan).includes('"isMultiKey":true');
    };
    assert.equal(await isMultikey(), true);
    const fixed = await validate({ fixMultikey: true });
    assert.deepEqual(fixed['warnings'], ['Unset index multikey metadata: a_1']);
    assert.equal(fixed['repaired'], true);
    assert.equal(await isMultikey(), false);
    await collection.insertOne({ a: [3, 4] });
    assert.equal(await isMultikey(), true);
    assert.equal(await collection.countDocuments({ a: 4 }), 2);
    assert.equal((await validate())['valid'], true);
  });
});

function keyOf(value: number): Buffer {
  return encodeIndexKey([int32Value(value)], [1]).key;
}

/** Key of the only entry with a value, whichever index it is of. */
function entryOf(environment: Environment, value: number): Buffer {
  const wanted = keyOf(value);
  for (const { key } of environment.getRange({})) {
    const end = key.length - RECORD_ID_BYTES;
    if (end > IDENT_BYTES && key.subarray(IDENT_BYTES, end).equals(wanted)) return Buffer.from(key);
  }
  throw new Error(`no entry for ${value}`);
}

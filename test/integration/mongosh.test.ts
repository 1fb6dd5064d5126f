/**
 * mongosh against flintd: what a person types.
 */
import assert from 'node:assert/strict';
import { serverForTests } from '../support/test-server.ts';
import { runMongosh } from '../support/clients.ts';

/** Starting the shell takes seconds, so that one script does the work of many tests. */
const SCRIPT = `
  const results = {};
  const check = (name, run) => {
    try { results[name] = run(); } catch (error) {
      results[name] = { error: error.codeName ?? error.code ?? error.message };
    }
  };
  const target = db.getSiblingDB('shell');
  check('version', () => db.version().split('.')[0]);
  check('insertOne', () => target.people.insertOne({ _id: 1, name: 'Ada', born: NumberInt(1815) }).acknowledged);
  check('insertMany', () => Object.keys(target.people.insertMany([
    { _id: 2, name: 'Grace', born: 1906, tags: ['navy', 'cobol'] },
    { _id: 3, name: 'Edsger', born: 1930, tags: [] },
  ]).insertedIds).length);
  check('find', () => target.people.find({ born: { $gt: 1900 } }).sort({ name: 1 }).map((p) => p.name).toArray());
  check('findOne', () => target.people.findOne({ tags: 'cobol' }, { _id: 0, name: 1 }));
  check('updateOne', () => target.people.updateOne({ _id: 1 }, { $set: { title: 'Countess' } }).modifiedCount);
  check('replaceOne', () => target.people.replaceOne({ _id: 3 }, { name: 'Barbara', born: 1939 }).modifiedCount);
  check('upsert', () => target.people.updateOne({ _id: 4 }, { $set: { name: 'Alan' } }, { upsert: true }).insertedId);
  check('findOneAndUpdate', () => target.people.findOneAndUpdate(
    { _id: 4 }, { $set: { born: 1912 } }, { returnDocument: 'after' }));
  check('bulkWrite', () => target.people.bulkWrite([
    { insertOne: { document: { _id: 5, name: 'Linus' } } },
    { deleteOne: { filter: { _id: 5 } } },
  ]).deletedCount);
  check('createIndex', () => target.people.createIndex({ name: 1 }, { unique: true }));
  check('getIndexes', () => target.people.getIndexes().map((index) => index.name));
  check('duplicate', () => target.people.insertOne({ name: 'Ada' }));
  check('explain', () => target.people.find({ name: 'Ada' }).explain().queryPlanner.winningPlan.inputStage?.stage
    ?? target.people.find({ name: 'Ada' }).explain().queryPlanner.winningPlan.stage);
  check('aggregate', () => target.people.aggregate([
    { $match: { born: { $exists: true } } },
    { $group: { _id: null, oldest: { $min: '$born' }, count: { $sum: 1 } } },
  ]).toArray());
  check('countDocuments', () => target.people.countDocuments());
  check('estimatedDocumentCount', () => target.people.estimatedDocumentCount());
  check('distinct', () => target.people.distinct('tags'));
  check('batches', () => {
    target.numbers.insertMany(Array.from({ length: 1000 }, (_, n) => ({ n })));
    return target.numbers.find().batchSize(70).toArray().length;
  });
  check('deleteMany', () => target.numbers.deleteMany({ n: { $lt: 500 } }).deletedCount);
  check('collections', () => target.getCollectionNames().sort());
  check('stats', () => target.runCommand({ collStats: 'people' }).count);
  check('validate', () => target.people.validate({ full: true }).valid);
  check('rename', () => target.numbers.renameCollection('digits').ok);
  check('drop', () => target.digits.drop());
  check('unknown', () => db.runCommand({ noSuchCommand: 1 }));
  check('adminCommand', () => db.adminCommand({ ping: 1 }).ok);
  check('serverStatus', () => typeof db.serverStatus().connections.current);
  check('currentOp', () => db.adminCommand({ currentOp: 1 }).inprog.length > 0);
  check('hello', () => db.hello().maxWireVersion);
  check('showDatabases', () => db.getMongo().getDBNames().includes('shell'));
  check('types', () => {
    target.types.insertOne({ _id: 1, long: NumberLong('9007199254740993'), decimal: NumberDecimal('1.10'),
      date: ISODate('2020-01-02T03:04:05.006Z'), id: ObjectId('0123456789abcdef01234567'), regex: /a.b/i });
    return EJSON.stringify(target.types.findOne(), { relaxed: false });
  });
  check('dropDatabase', () => target.dropDatabase().ok);
  print('RESULT ' + EJSON.stringify(results));
`;

const EXPECTED = {
  version: '8',
  insertOne: true,
  insertMany: 2,
  find: ['Edsger', 'Grace'],
  findOne: { name: 'Grace' },
  updateOne: 1,
  replaceOne: 1,
  upsert: 4,
  findOneAndUpdate: { _id: 4, name: 'Alan', born: 1912 },
  bulkWrite: 1,
  createIndex: 'name_1',
  getIndexes: ['_id_', 'name_1'],
  explain: 'EXPRESS_IXSCAN',
  aggregate: [{ _id: null, oldest: 1815, count: 4 }],
  countDocuments: 4,
  estimatedDocumentCount: 4,
  distinct: ['navy', 'cobol'],
  batches: 1000,
  deleteMany: 500,
  collections: ['numbers', 'people'],
  stats: 4,
  validate: true,
  rename: 1,
  drop: true,
  unknown: { error: 'CommandNotFound' },
  adminCommand: 1,
  serverStatus: 'number',
  currentOp: true,
  hello: 25,
  showDatabases: true,
  types:
    '{"_id":{"$numberInt":"1"},"long":{"$numberLong":"9007199254740993"},"decimal":{"$numberDecimal":"1.10"},' +
    '"date":{"$date":{"$numberLong":"1577934245006"}},"id":{"$oid":"0123456789abcdef01234567"},' +
    '"regex":{"$regularExpression":{"pattern":"a.b","options":"i"}}}',
  dropDatabase: 1,
};

describe('mongosh', () => {
  const server = serverForTests();

  it('connects, writes, reads, aggregates, indexes and drops', async function () {
    this.timeout(60_000);
    const printed = await runMongosh(server.uri, SCRIPT);
    const line = printed.split('\n').find((each) => each.startsWith('RESULT '));
    assert.ok(line !== undefined, printed);
    const results: Record<string, unknown> = JSON.parse(line.slice('RESULT '.length));
    const { duplicate, ...rest } = results;
    assert.match(JSON.stringify(duplicate), /11000|DuplicateKey/);
    assert.deepEqual(rest, EXPECTED);
  });
});

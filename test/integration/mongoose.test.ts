/**
 * mongoose against flintd: models, validation, indexes made from schemas, populate and lean reads.
 */
import assert from 'node:assert/strict';
import { requireClient } from '../support/clients.ts';
import { serverForTests } from '../support/test-server.ts';

/** What these tests use of mongoose, which is installed outside the package. */
interface Mongoose {
  readonly Schema: new (fields: object, options?: object) => unknown;
  createConnection(uri: string): { asPromise(): Promise<MongooseConnection> };
}

interface MongooseConnection {
  model(name: string, schema: unknown): Model;
  close(): Promise<void>;
}

interface Query extends Promise<unknown> {
  sort(order: object): Query;
  lean(): Query;
  populate(path: string): Query;
}

interface Model {
  init(): Promise<unknown>;
  create(documents: object): Promise<{ readonly _id: unknown; readonly [field: string]: unknown }>;
  find(filter?: object): Query;
  findOne(filter: object): Query;
  findOneAndUpdate(filter: object, update: object, options: object): Query;
  updateMany(filter: object, update: object): Promise<{ readonly modifiedCount: number }>;
  deleteOne(filter: object): Promise<{ readonly deletedCount: number }>;
  countDocuments(filter?: object): Promise<number>;
  aggregate(stages: readonly object[]): Promise<unknown[]>;
}

describe('mongoose', () => {
  const server = serverForTests();
  let connection: MongooseConnection;
  let mongoose: Mongoose;

  before(async () => {
    mongoose = requireClient('mongoose') as Mongoose;
    connection = await mongoose.createConnection(`${server.uri}mongoose_test`).asPromise();
    server.beforeStop(() => connection.close());
  });

  it('makes the indexes of a schema and keeps them unique', async () => {
    const schema = new mongoose.Schema({
      mail: { type: String, required: true, unique: true },
      age: { type: Number, min: 0, index: true },
    });
    const User = connection.model('User', schema);
    await User.init();
    await User.create({ mail: 'a@example.org', age: 30 });
    await assert.rejects(User.create({ mail: 'a@example.org' }), { code: 11000 });
    await assert.rejects(User.create({ age: 1 }), { name: 'ValidationError' });
    const indexes = await server.client.db('mongoose_test').collection('users').indexes();
    assert.deepEqual(
      new Set(indexes.map(({ name }) => name)),
      new Set(['_id_', 'age_1', 'mail_1']),
    );
  });

  it('finds, updates, deletes and counts', async () => {
    const schema = new mongoose.Schema({ n: Number, tags: [String] }, { timestamps: true });
    const Item = connection.model('Item', schema);
    for (const n of [3, 1, 2]) await Item.create({ n, tags: [`t${n}`] });
    const found = (await Item.find({ n: { $gte: 2 } })
      .sort({ n: 1 })
      .lean()) as { n: number }[];
    assert.deepEqual(
      found.map(({ n }) => n),
      [2, 3],
    );
    const updated = (await Item.findOneAndUpdate(
      { n: 3 },
      { $push: { tags: 'new' } },
      { returnDocument: 'after' },
    ).lean()) as { tags: string[]; createdAt: Date };
    assert.deepEqual(updated.tags, ['t3', 'new']);
    assert.ok(updated.createdAt instanceof Date);
    assert.equal((await Item.updateMany({}, { $inc: { n: 10 } })).modifiedCount, 3);
    assert.equal((await Item.deleteOne({ n: 11 })).deletedCount, 1);
    assert.equal(await Item.countDocuments(), 2);
    const groups = await Item.aggregate([{ $group: { _id: null, sum: { $sum: '$n' } } }]);
    assert.deepEqual(groups, [{ _id: null, sum: 25 }]);
  });

  it('follows references with populate', async () => {
    const Author = connection.model('Author', new mongoose.Schema({ name: String }));
    const Book = connection.model(
      'Book',
      new mongoose.Schema({ title: String, by: { type: 'ObjectId', ref: 'Author' } }),
    );
    const author = await Author.create({ name: 'Ursula' });
    await Book.create({ title: 'The Dispossessed', by: author._id });
    const book = (await Book.findOne({ title: /^The/ }).populate('by').lean()) as {
      by: { name: string };
    };
    assert.equal(book.by.name, 'Ursula');
  });
});

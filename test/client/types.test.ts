/**
 * What the compiler infers for typed collections. This file is right when it compiles: each line marked @ts-expect-error must
 * not compile without the mark. `npm run check` reads it; nothing of it runs against a server.
 */
import assert from 'node:assert/strict';
import {
  FlintClient,
  ObjectId,
  type AggregationCursor,
  type Collection,
  type Filter,
  type FindCursor,
  type UpdateFilter,
  type WithId,
} from '../../client/index.ts';

interface User {
  _id: ObjectId;
  name: string;
  age?: number;
  tags: string[];
  address: { city: string; zip: number };
  orders: { sku: string; qty: number }[];
  born: Date;
}

interface Page {
  _id: string;
  title: string;
}

/** Only the types of these are looked at. */
type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectTrue<_T extends true>(): void {
  // The type parameter is the assertion.
}

async function inference(client: FlintClient): Promise<void> {
  const users = client.db().collection<User>('users');
  const pages = client.db().collection<Page>('pages');
  const anything = client.db().collection('anything');

  // Filters
  users.find({ name: 'Ada', age: { $gte: 18, $lt: 65 } });
  users.find({ 'address.city': 'Oslo', 'orders.0.qty': { $gt: 1 }, 'orders.sku': 'a' });
  users.find({ tags: 'a' });
  users.find({ tags: { $all: ['a', 'b'] }, name: /^a/i });
  users.find({ $or: [{ name: 'a' }, { 'address.zip': { $in: [1, 2] } }] });
  users.find({ age: null });
  users.find({ _id: new ObjectId() });
  pages.find({ _id: 'home' });
  anything.find({ whatever: 1, 'a.b': { $gt: 'x' } });
  // @ts-expect-error a name is a string
  users.find({ name: 1 });
  // @ts-expect-error there is no such field
  users.find({ nmae: 'Ada' });
  // @ts-expect-error there is no such path
  users.find({ 'address.town': 'Oslo' });
  // @ts-expect-error a zip is a number
  users.find({ 'address.zip': 'x' });
  // @ts-expect-error numbers are compared with numbers
  users.find({ age: { $gt: '18' } });
  // @ts-expect-error the id of a page is a string
  pages.find({ _id: new ObjectId() });
  // @ts-expect-error inside $or, too
  users.find({ $or: [{ name: 1 }] });

  // Updates
  await users.updateOne({}, { $set: { name: 'Bob', 'address.city': 'Bern' }, $inc: { age: 1 } });
  await users.updateOne({}, { $push: { tags: 'x', orders: { $each: [{ sku: 'a', qty: 1 }] } } });
  await users.updateOne(
    {},
    { $set: { 'orders.$.qty': 2, 'orders.$[each].sku': 'b', 'tags.0': 'z' } },
  );
  await users.updateOne({}, { $unset: { age: '' }, $currentDate: { born: true } });
  await users.updateOne({}, [{ $set: { name: { $toUpper: '$name' } } }]);
  await anything.updateOne({}, { $set: { any: 1 }, $push: { list: 2 } });
  // @ts-expect-error a name is a string
  await users.updateOne({}, { $set: { name: 1 } });
  // @ts-expect-error only numbers grow
  await users.updateOne({}, { $inc: { name: 1 } });
  // @ts-expect-error there is no such field
  await users.updateOne({}, { $set: { nmae: 'x' } });
  // @ts-expect-error only arrays are pushed to
  await users.updateOne({}, { $push: { name: 'x' } });
  // @ts-expect-error elements of tags are strings
  await users.updateOne({}, { $push: { tags: 1 } });
  // @ts-expect-error there is no such operator
  await users.updateOne({}, { $sett: { name: 'x' } });

  // Inserts
  await pages.insertOne({ _id: 'home', title: 'Home' });
  await anything.insertOne({ anything: [1, 'a'] });
  const { insertedId } = await users.insertOne({
    _id: new ObjectId(),
    name: 'Ada',
    tags: [],
    address: { city: 'x', zip: 1 },
    orders: [],
    born: new Date(),
  });
  expectTrue<Equal<typeof insertedId, ObjectId>>();
  const page = await pages.insertOne({ _id: 'x', title: 'X' });
  expectTrue<Equal<typeof page.insertedId, string>>();
  // @ts-expect-error a page has an id
  await pages.insertOne({ title: 'Home' });
  // @ts-expect-error a page has a title
  await pages.insertOne({ _id: 'home' });

  // Results
  const found = await users.findOne({ name: 'Ada' });
  expectTrue<Equal<typeof found, WithId<User> | null>>();
  const name: string | undefined = found?.name;
  const whole = await users.find().toArray();
  const zips: number[] = whole.map(({ address }) => address.zip);
  for await (const { title } of pages.find()) title.toUpperCase();
  const untyped = await anything.findOne();
  const some: unknown = untyped?.['whatever'];
  const updated = await users.findOneAndUpdate({}, { $set: { name: 'x' } });
  const updatedName: string | undefined = updated?.name;
  const names = await users.distinct('name');
  expectTrue<Equal<typeof names, string[]>>();
  const tags = await users.distinct('tags');
  expectTrue<Equal<typeof tags, string[]>>();

  // Projections
  const only = await users.findOne({}, { projection: { name: 1 } });
  const onlyName: string | undefined = only?.name;
  const itsId: ObjectId | undefined = only?._id;
  // @ts-expect-error the age was left out
  void only?.age;
  const without = await users.find({}, { projection: { _id: 0, orders: 0 } }).toArray();
  const cities: string[] = without.map(({ address }) => address.city);
  // @ts-expect-error the orders were left out
  void without[0]?.orders;
  // A projection may compute fields that the schema does not have.
  users.find({}, { projection: { initial: { $substrCP: ['$name', 0, 1] } } });

  // Cursors
  const mapped: FindCursor<string> = users.find().map((user) => user.name);
  const grouped: AggregationCursor<{ _id: string; n: number }> = users.aggregate<{
    _id: string;
    n: number;
  }>([]);
  const projected: FindCursor<{ name: string }> = users
    .find()
    .project<{ name: string }>({ name: 1 });

  // Bulk writes
  await users.bulkWrite([
    { updateOne: { filter: { name: 'a' }, update: { $set: { name: 'b' } } } },
    { deleteMany: { filter: { 'address.zip': 1 } } },
    // @ts-expect-error a name is a string
    { deleteOne: { filter: { name: 1 } } },
  ]);

  // Named types
  const filter: Filter<User> = { name: 'Ada' };
  const update: UpdateFilter<User> = { $set: { name: 'Ada' } };
  const passed: Collection<User> = users;
  void [
    name,
    zips,
    some,
    updatedName,
    onlyName,
    itsId,
    cities,
    mapped,
    grouped,
    projected,
    filter,
    update,
    passed,
  ];
}

describe('typed collections', () => {
  it('compile: this file is checked with all others', () => {
    assert.equal(typeof inference, 'function');
  });
});

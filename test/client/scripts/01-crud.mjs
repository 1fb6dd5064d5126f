// Create, read, update, delete, and what each of them answers.
export async function run({ MongoClient, ObjectId }, uri, log) {
  const client = new MongoClient(uri);
  await client.connect();
  const users = client.db('script01').collection('users');
  const ada = await users.insertOne({
    _id: new ObjectId('0123456789abcdef01234567'),
    name: 'Ada',
    age: 36,
  });
  log('insertOne', ada);
  log(
    'insertMany',
    await users.insertMany([
      { _id: 1, name: 'Bob' },
      { _id: 2, name: 'Cleo', tags: ['a', 'b'] },
    ]),
  );
  log('findOne', await users.findOne({ name: 'Cleo' }));
  log('none', await users.findOne({ name: 'nobody' }));
  log(
    'updateOne',
    await users.updateOne({ _id: 1 }, { $set: { age: 20 }, $push: { tags: 'new' } }),
  );
  log('upsert', await users.updateOne({ _id: 'x' }, { $inc: { visits: 1 } }, { upsert: true }));
  log('updateMany', await users.updateMany({ age: { $gt: 10 } }, { $mul: { age: 2 } }));
  log('replaceOne', await users.replaceOne({ _id: 2 }, { name: 'Cleo II' }));
  log(
    'findOneAndUpdate',
    await users.findOneAndUpdate(
      { _id: 1 },
      { $set: { name: 'Bobby' } },
      { returnDocument: 'after' },
    ),
  );
  log(
    'metadata',
    (await users.findOneAndDelete({ _id: 'x' }, { includeResultMetadata: true })).lastErrorObject,
  );
  log('deleteOne', await users.deleteOne({ name: 'Bobby' }));
  log('deleteMany', await users.deleteMany({}));
  log('count', await users.countDocuments(), await users.estimatedDocumentCount());
  await client.close();
}

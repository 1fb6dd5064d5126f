// Bulk writes: of a collection, of the client, and by builders.
export async function run({ MongoClient, MongoClientBulkWriteError }, uri, log) {
  const client = new MongoClient(uri);
  const items = client.db('script05').collection('items');
  const plain = ({
    insertedCount,
    matchedCount,
    modifiedCount,
    deletedCount,
    upsertedCount,
    upsertedIds,
    insertedIds,
  }) => ({
    insertedCount,
    matchedCount,
    modifiedCount,
    deletedCount,
    upsertedCount,
    upsertedIds,
    insertedIds,
  });
  log(
    'bulkWrite',
    plain(
      await items.bulkWrite([
        { insertOne: { document: { _id: 1, n: 1 } } },
        { insertOne: { document: { _id: 2, n: 2 } } },
        { updateOne: { filter: { _id: 1 }, update: { $inc: { n: 10 } } } },
        { updateMany: { filter: {}, update: { $set: { seen: true } } } },
        { replaceOne: { filter: { _id: 3 }, replacement: { n: 3 }, upsert: true } },
        { deleteOne: { filter: { _id: 2 } } },
      ]),
    ),
  );
  const ordered = items.initializeOrderedBulkOp();
  ordered.insert({ _id: 4 });
  ordered.find({ _id: 4 }).updateOne({ $set: { x: 1 } });
  ordered.find({ _id: 9 }).upsert().replaceOne({ nine: true });
  ordered.find({ seen: true }).delete();
  log('ordered', ordered.length, plain(await ordered.execute()));
  const unordered = items.initializeUnorderedBulkOp();
  unordered.insert({ _id: 4 });
  unordered.insert({ _id: 5 });
  try {
    await unordered.execute();
  } catch (error) {
    log('unordered', error.code, plain(error.result));
  }
  try {
    await unordered.execute();
  } catch (error) {
    log('again', error.name, error.message);
  }
  log(
    'client',
    await client.bulkWrite(
      [
        { namespace: 'script05.items', name: 'insertOne', document: { _id: 20 } },
        { namespace: 'script05.others', name: 'insertOne', document: { _id: 1 } },
        {
          namespace: 'script05.others',
          name: 'updateMany',
          filter: {},
          update: { $set: { a: 1 } },
        },
        { namespace: 'script05.items', name: 'deleteMany', filter: { _id: { $gte: 20 } } },
      ],
      { verboseResults: true },
    ),
  );
  try {
    await client.bulkWrite(
      [
        { namespace: 'script05.items', name: 'insertOne', document: { _id: 4 } },
        { namespace: 'script05.items', name: 'insertOne', document: { _id: 30 } },
      ],
      { ordered: false },
    );
  } catch (error) {
    log(
      'client failed',
      error instanceof MongoClientBulkWriteError,
      [...error.writeErrors],
      error.partialResult?.insertedCount,
    );
  }
  log('all', await items.find().sort({ _id: 1 }).toArray());
  await client.close();
}

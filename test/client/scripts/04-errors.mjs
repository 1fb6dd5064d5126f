// Errors: their classes, codes and messages.
export async function run(driver, uri, log) {
  const {
    MongoClient,
    MongoServerError,
    MongoBulkWriteError,
    MongoError,
    MongoInvalidArgumentError,
  } = driver;
  const client = new MongoClient(uri);
  const things = client.db('script04').collection('things');
  await things.createIndex({ email: 1 }, { unique: true });
  await things.insertOne({ _id: 1, email: 'a@x' });
  const attempt = async (name, work) => {
    try {
      log(name, 'fine', await work());
    } catch (error) {
      log(
        name,
        error.name,
        error.code,
        error.codeName,
        error.message,
        error instanceof MongoError,
        error instanceof MongoServerError,
        error.keyValue,
        error.errorLabels,
      );
    }
  };
  await attempt('duplicate', () => things.insertOne({ _id: 2, email: 'a@x' }));
  await attempt('duplicate id', () => things.insertOne({ _id: 1 }));
  await attempt('operators', () => things.updateOne({}, { name: 1 }));
  await attempt('no operators', () => things.replaceOne({}, { $set: { a: 1 } }));
  await attempt('bad operator', () => things.updateOne({}, { $nope: { a: 1 } }));
  await attempt('bad filter', () => things.find({ $nope: 1 }).toArray());
  await attempt('no command', () => client.db('script04').command({ nope: 1 }));
  await attempt('empty bulk', () => things.insertMany([]));
  await attempt('bad name', async () => client.db('a.b'));
  await attempt('drop of nothing', () => client.db('script04').collection('nothing').drop());
  await attempt('index gone', () => things.dropIndex('nope_1'));
  try {
    await things.insertMany(
      [
        { _id: 10, email: 'b@x' },
        { _id: 11, email: 'b@x' },
        { _id: 12, email: 'c@x' },
      ],
      { ordered: false },
    );
  } catch (error) {
    log(
      'bulk',
      error.name,
      error instanceof MongoBulkWriteError,
      error.code,
      error.insertedCount,
      error.writeErrors.length,
      error.writeErrors[0].index,
      error.writeErrors[0].errmsg,
      error.result.insertedIds,
    );
  }
  for (const uriText of [
    'http//x',
    'mongodb://',
    'mongodb://a/?nope=1',
    'mongodb://a:b:c@d',
    'mongodb://h/?maxPoolSize=x',
  ]) {
    try {
      new MongoClient(uriText);
      log('uri', 'fine');
    } catch (error) {
      log('uri', error.name, error.message);
    }
  }
  log('class', MongoInvalidArgumentError.name);
  await client.close();
}

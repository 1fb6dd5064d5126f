// All ways to read a cursor.
export async function run({ MongoClient }, uri, log) {
  const client = await MongoClient.connect(uri);
  const numbers = client.db('script02').collection('numbers');
  await numbers.insertMany(
    Array.from({ length: 250 }, (_, i) => ({ _id: i, square: i * i, even: i % 2 === 0 })),
  );
  const sums = [];
  for await (const { square } of numbers.find({ even: true }).batchSize(7)) sums.push(square);
  log('for await', sums.length, sums.at(-1));
  const cursor = numbers.find().sort({ _id: -1 }).skip(5).limit(3).project({ _id: 1 });
  log('hasNext', await cursor.hasNext(), await cursor.next(), cursor.bufferedCount());
  log('toArray', await cursor.toArray(), cursor.closed);
  cursor.rewind();
  log('rewind', await cursor.next());
  await cursor.close();
  log(
    'map',
    await numbers
      .find({ _id: { $lt: 3 } })
      .map(({ square }) => square)
      .toArray(),
  );
  const seen = [];
  await numbers
    .find()
    .sort('_id')
    .forEach(({ _id }) => {
      seen.push(_id);
      return _id < 4;
    });
  log('forEach', seen);
  const streamed = [];
  for await (const document of numbers.find({ _id: { $gte: 247 } }).stream())
    streamed.push(document._id);
  log('stream', streamed);
  log('clone', (await cursor.clone().toArray()).length);
  log('tryNext', await numbers.find({ _id: 999 }).tryNext());
  const started = numbers.find();
  await started.next();
  try {
    started.sort({ a: 1 });
  } catch (error) {
    log('in use', error.name, error.message);
  }
  await started.close();
  try {
    await started.next();
  } catch (error) {
    log('closed', error.name, error.message);
  }
  log('explain', (await numbers.find({ _id: 1 }).explain('queryPlanner')).queryPlanner.namespace);
  await client.close();
}

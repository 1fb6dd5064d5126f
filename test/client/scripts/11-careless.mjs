// What programs do without meaning to: no filter, a frozen document, a signal that comes late, a plan instead of documents.
export async function run({ MongoClient }, uri, log) {
  const client = new MongoClient(uri);
  const db = client.db('careless');
  const items = db.collection('items');
  const attempt = async (work) => {
    try {
      log(await work());
    } catch (error) {
      log(error.name, error.code ?? error.message);
    }
  };
  await items.insertMany(Array.from({ length: 6 }, (_, n) => ({ _id: n })));

  // A filter that is null by mistake deletes nothing.
  for (const name of ['deleteOne', 'deleteMany']) {
    log(
      name,
      await items[name](null).then(
        () => 'deleted',
        () => 'refused',
      ),
    );
  }
  log(await items.countDocuments());
  await attempt(() => items.deleteOne());

  const frozen = Object.freeze({ cold: true });
  await attempt(() => items.insertOne(frozen));
  await attempt(() => items.insertMany([frozen]));
  await attempt(() => items.bulkWrite([{ insertOne: { document: frozen } }]));
  log(await items.countDocuments({ cold: true }));

  for (const options of [{ explain: true }, { explain: 'queryPlanner' }]) {
    log((await items.find({}, options).toArray()).length);
    log('queryPlanner' in (await items.findOne({}, options)));
    log((await items.aggregate([{ $match: {} }], options).toArray()).length);
  }

  // What is here already is not given out either once the signal came.
  const late = new AbortController();
  const cursor = items.find({}, { signal: late.signal });
  log(await cursor.next());
  late.abort(new Error('too late'));
  await attempt(() => cursor.next());
  const early = new AbortController();
  const seen = [];
  await attempt(async () => {
    for await (const { _id } of items.find({}, { signal: early.signal })) {
      seen.push(_id);
      if (seen.length === 2) early.abort(new Error('enough'));
    }
  });
  log(seen);

  // A standalone has no change streams, and says so to whoever listens, however he listens.
  await attempt(() => items.watch().next());
  await attempt(async () => {
    for await (const change of items.watch()) log(change);
  });
  const stream = items.watch();
  const error = await new Promise((resolve) => {
    stream.on('error', resolve);
    stream.on('change', resolve);
  });
  log(error.name, error.code, stream.closed);

  await client.close();
}

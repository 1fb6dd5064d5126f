// Indexes, collections, views, statistics.
export async function run({ MongoClient }, uri, log) {
  const client = new MongoClient(uri);
  const db = client.db('script06');
  const places = await db.createCollection('places', { validator: { name: { $type: 'string' } } });
  log(
    'names',
    await places.createIndex({ name: 1 }),
    await places.createIndex([
      ['city', 1],
      ['zip', -1],
    ]),
    await places.createIndex('plain', { sparse: true, name: 'mine' }),
  );
  log(
    'many',
    await places.createIndexes([
      { key: { at: '2dsphere' } },
      { key: { when: 1 }, expireAfterSeconds: 3600 },
    ]),
  );
  log(
    'indexes',
    (await places.indexes()).map(({ name, key, sparse, expireAfterSeconds }) => ({
      name,
      key,
      sparse,
      expireAfterSeconds,
    })),
  );
  log('information', await places.indexInformation());
  log('exists', await places.indexExists(['name_1', 'mine']), await places.indexExists('none'));
  log('listIndexes', (await places.listIndexes().toArray()).length);
  await places.dropIndex('mine');
  await places.dropIndexes();
  log('left', (await places.indexes()).length);
  try {
    await places.insertOne({ name: 1 });
  } catch (error) {
    log('validator', error.code, error.message, error.errInfo?.failingDocumentId !== undefined);
  }
  await db.createCollection('small', { capped: true, size: 4096, max: 5 });
  log(
    'capped',
    await db.collection('small').isCapped(),
    (await db.collection('small').options()).max,
  );
  await db.createCollection('view', { viewOn: 'places', pipeline: [{ $match: { city: 'Oslo' } }] });
  await places.insertMany([
    { name: 'a', city: 'Oslo' },
    { name: 'b', city: 'Rome' },
  ]);
  log('view', await db.collection('view').countDocuments());
  log(
    'collections',
    (await db.listCollections({}, { nameOnly: true }).toArray()).sort((a, b) =>
      a.name.localeCompare(b.name),
    ),
    (await db.collections()).map((c) => c.collectionName).sort(),
  );
  const renamed = await places.rename('spots');
  log('renamed', renamed.namespace, await renamed.countDocuments());
  log(
    'stats',
    (await db.stats()).db,
    (await db.admin().listDatabases({ nameOnly: true })).databases.some(
      ({ name }) => name === 'script06',
    ),
  );
  log('profile', await db.profilingLevel());
  log('drop', await db.dropCollection('small'), await db.dropDatabase());
  await client.close();
}

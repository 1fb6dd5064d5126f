// A small shop: sequences, stock, pages, reports; many operations at a time.
export async function run({ MongoClient, ReadPreference, ReadConcern, WriteConcern }, uri, log) {
  const client = new MongoClient(uri, {
    maxPoolSize: 5,
    compressors: ['snappy'],
    readConcern: { level: 'local' },
    w: 1,
    ignoreUndefined: true,
  });
  const db = client.db('script10', { readPreference: ReadPreference.primaryPreferred });
  const counters = db.collection('counters');
  const next = async (name) =>
    (
      await counters.findOneAndUpdate(
        { _id: name },
        { $inc: { value: 1 } },
        { upsert: true, returnDocument: 'after' },
      )
    ).value;
  const stock = db.collection('stock', { writeConcern: new WriteConcern(1) });
  await stock.insertMany(
    Array.from({ length: 20 }, (_, i) => ({ _id: `sku${i}`, left: 3, price: i + 0.5 })),
  );
  const buy = async (sku) => {
    const { modifiedCount } = await stock.updateOne(
      { _id: sku, left: { $gt: 0 } },
      { $inc: { left: -1 } },
    );
    return modifiedCount === 1 ? { order: await next('order'), sku } : undefined;
  };
  const bought = await Promise.all(Array.from({ length: 100 }, (_, i) => buy(`sku${i % 20}`)));
  const orders = bought.filter((order) => order !== undefined);
  log('orders', orders.length, new Set(orders.map(({ order }) => order)).size);
  await db.collection('orders').insertMany(orders.map(({ order, sku }) => ({ _id: order, sku })));
  const pages = [];
  let last = 0;
  for (;;) {
    const page = await db
      .collection('orders')
      .find({ _id: { $gt: last } })
      .sort({ _id: 1 })
      .limit(25)
      .toArray();
    if (page.length === 0) break;
    pages.push(page.length);
    last = page.at(-1)._id;
  }
  log('pages', pages);
  const report = await db
    .collection('orders')
    .aggregate([
      { $lookup: { from: 'stock', localField: 'sku', foreignField: '_id', as: 'stock' } },
      { $group: { _id: null, total: { $sum: { $first: '$stock.price' } }, orders: { $sum: 1 } } },
    ])
    .toArray();
  log('report', report);
  log(
    'settings',
    db.readPreference.mode,
    stock.writeConcern?.w,
    db.readConcern?.level,
    stock.readConcern instanceof ReadConcern,
    client.options.maxPoolSize,
  );
  log(
    'facets',
    await stock
      .aggregate([
        {
          $facet: {
            cheap: [{ $match: { price: { $lt: 5 } } }, { $count: 'n' }],
            empty: [{ $match: { left: 0 } }, { $count: 'n' }],
          },
        },
      ])
      .toArray(),
  );
  await client.close();
}

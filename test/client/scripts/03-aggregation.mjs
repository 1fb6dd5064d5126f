// Pipelines, on collections and on the database.
export async function run({ MongoClient }, uri, log) {
  const client = new MongoClient(uri);
  const db = client.db('script03');
  await db.collection('orders').insertMany([
    {
      _id: 1,
      customer: 'ada',
      items: [
        { sku: 'a', qty: 2 },
        { sku: 'b', qty: 1 },
      ],
    },
    { _id: 2, customer: 'bob', items: [{ sku: 'a', qty: 5 }] },
  ]);
  await db.collection('customers').insertMany([
    { _id: 'ada', city: 'Oslo' },
    { _id: 'bob', city: 'Bern' },
  ]);
  const orders = db.collection('orders');
  log(
    'group',
    await orders
      .aggregate([
        { $unwind: '$items' },
        { $group: { _id: '$items.sku', n: { $sum: '$items.qty' } } },
        { $sort: { _id: 1 } },
      ])
      .toArray(),
  );
  log(
    'lookup',
    await orders
      .aggregate([
        { $lookup: { from: 'customers', localField: 'customer', foreignField: '_id', as: 'who' } },
        { $project: { city: { $first: '$who.city' } } },
      ])
      .toArray(),
  );
  log(
    'builder',
    await orders.aggregate().match({ customer: 'bob' }).project({ customer: 1, _id: 0 }).toArray(),
  );
  log(
    'let',
    await orders
      .aggregate([{ $match: { $expr: { $eq: ['$customer', '$$who'] } } }, { $count: 'n' }], {
        let: { who: 'ada' },
      })
      .toArray(),
  );
  await orders.aggregate([{ $out: 'copies' }]).toArray();
  log('out', await db.collection('copies').countDocuments());
  log('database', await db.aggregate([{ $documents: [{ x: 1 }, { x: 2 }] }]).toArray());
  log('distinct', await orders.distinct('items.sku'));
  try {
    await orders.aggregate([{ $nope: 1 }]).toArray();
  } catch (error) {
    log(error.name, error.code, error.codeName, error.message);
  }
  await client.close();
}

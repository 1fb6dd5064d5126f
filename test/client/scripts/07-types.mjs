// Every BSON type there and back, and Extended JSON.
export async function run(driver, uri, log) {
  const {
    MongoClient,
    ObjectId,
    Long,
    Double,
    Int32,
    Decimal128,
    Binary,
    UUID,
    Timestamp,
    Code,
    MinKey,
    MaxKey,
    BSONRegExp,
    DBRef,
    BSON,
  } = driver;
  const { EJSON } = BSON;
  const client = new MongoClient(uri);
  const values = client.db('script07').collection('values');
  await values.insertOne({
    _id: new ObjectId('000000000000000000000001'),
    int: 1,
    int32: new Int32(2),
    double: 1.5,
    whole: new Double(3),
    long: Long.fromString('9007199254740993'),
    decimal: Decimal128.fromString('1.10'),
    text: 'äöü €',
    yes: true,
    none: null,
    date: new Date(0),
    regex: /a.b/i,
    bytes: new Binary(Buffer.from([1, 2, 3])),
    uuid: new UUID('01234567-89ab-cdef-0123-456789abcdef'),
    timestamp: new Timestamp({ t: 1, i: 2 }),
    code: new Code('return 1'),
    min: new MinKey(),
    max: new MaxKey(),
    nested: { list: [1, { a: [] }], empty: {} },
    ref: new DBRef('other', new ObjectId('000000000000000000000002')),
    missing: undefined,
  });
  const found = await values.findOne();
  log('canonical', EJSON.stringify(found, { relaxed: false }));
  log('relaxed', EJSON.stringify(found));
  log('keys', Object.keys(found));
  const exact = await values.findOne({}, { promoteValues: false });
  log('exact', exact.int._bsontype, exact.double._bsontype);
  log(
    'longs',
    (await values.findOne({}, { promoteLongs: false })).long._bsontype,
    typeof (await values.findOne({}, { useBigInt64: true })).long,
  );
  log('buffers', Buffer.isBuffer((await values.findOne({}, { promoteBuffers: true })).bytes));
  log('raw', (await values.findOne({}, { raw: true })) instanceof Uint8Array);
  log('regexp', (await values.findOne({}, { bsonRegExp: true })).regex instanceof BSONRegExp);
  await values.insertOne({ _id: 2, a: undefined }, { ignoreUndefined: true });
  log('undefined', await values.findOne({ _id: 2 }));
  await client.close();
}

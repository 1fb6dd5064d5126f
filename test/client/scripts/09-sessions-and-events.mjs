// Sessions, command events, abort signals, time limits.
export async function run({ MongoClient }, uri, log) {
  const client = new MongoClient(uri, { monitorCommands: true, appName: 'nine' });
  const events = [];
  client.on('commandStarted', ({ commandName, databaseName, command }) =>
    events.push(`${commandName} ${databaseName} ${Object.keys(command).sort().join(',')}`),
  );
  client.on('commandSucceeded', ({ commandName, reply }) =>
    events.push(`${commandName} ok ${reply.ok}`),
  );
  client.on('commandFailed', ({ commandName, failure }) =>
    events.push(`${commandName} ${failure.name} ${failure.code}`),
  );
  await client.connect();
  const words = client.db('script09').collection('words');
  await words.insertOne({ _id: 1 });
  await words
    .find({}, { comment: 'why', hint: '_id_', collation: { locale: 'en' }, maxTimeMS: 5000 })
    .toArray();
  await words.updateOne({ _id: 1 }, [{ $set: { a: 1 } }], { comment: { a: 1 } });
  await client
    .db('script09')
    .command({ nope: 1 })
    .catch(() => {});
  log('events', events);
  const ids = new Set();
  client.on('commandStarted', ({ command }) => ids.add(command.lsid?.id.toString('hex')));
  await client.withSession(async (session) => {
    await words.findOne({}, { session });
    await words.countDocuments({}, { session });
    log('session', session.hasEnded, session.inTransaction(), session.id.id.sub_type);
  });
  log('one session', ids.size);
  const session = client.startSession();
  await session.endSession();
  try {
    await words.findOne({}, { session });
  } catch (error) {
    log('ended', error.name, error.message);
  }
  const controller = new AbortController();
  controller.abort(new Error('enough'));
  try {
    await words.find({}, { signal: controller.signal }).toArray();
  } catch (error) {
    log('aborted', error.message);
  }
  try {
    await words.findOne({ $where: 'sleep(1000) || true' }, { maxTimeMS: 20 });
  } catch (error) {
    log('limit', error.code);
  }
  log(
    'admin',
    (await client.db().admin().ping()).ok,
    (await client.db('admin').admin().buildInfo()).ok,
  );
  const rows = [];
  for await (const row of client
    .db('script09')
    .runCursorCommand({ find: 'words', filter: {}, batchSize: 1 }))
    rows.push(row);
  log('rows', rows);
  await client.close();
  try {
    await words.findOne();
  } catch (error) {
    log('closed', error.name, error.message);
  }
}

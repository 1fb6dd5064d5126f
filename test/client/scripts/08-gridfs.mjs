// GridFS: files up and down.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
export async function run({ MongoClient, GridFSBucket, ObjectId }, uri, log) {
  const client = new MongoClient(uri);
  const db = client.db('script08');
  const bucket = new GridFSBucket(db, { bucketName: 'files', chunkSizeBytes: 1000 });
  const read = async (stream) => Buffer.concat(await stream.toArray()).toString();
  for (const text of ['first', 'second '.repeat(500)]) {
    const upload = bucket.openUploadStream('a.txt', { metadata: { size: text.length } });
    upload.write(text.slice(0, 3));
    upload.end(text.slice(3));
    await once(upload, 'finish');
    log('uploaded', upload.length, upload.gridFSFile?.length);
    await sleep(5);
  }
  log('newest', (await read(bucket.openDownloadStreamByName('a.txt'))).length);
  log('oldest', await read(bucket.openDownloadStreamByName('a.txt', { revision: 0 })));
  log('range', await read(bucket.openDownloadStreamByName('a.txt', { start: 998, end: 1008 })));
  const files = await bucket.find().sort({ length: 1 }).toArray();
  log(
    'files',
    files.map(({ filename, length, chunkSize, metadata }) => ({
      filename,
      length,
      chunkSize,
      metadata,
    })),
  );
  log('chunks', await db.collection('files.chunks').countDocuments());
  await bucket.rename(files[0]._id, 'b.txt');
  log('renamed', await read(bucket.openDownloadStream(files[0]._id)));
  await bucket.delete(files[0]._id);
  try {
    await read(bucket.openDownloadStream(files[0]._id));
  } catch (error) {
    log('gone', error.name, error.code, error.message.replace(/[0-9a-f]{24}/, 'ID'));
  }
  try {
    await bucket.delete(new ObjectId('000000000000000000000009'));
  } catch (error) {
    log('no file', error.name, error.message);
  }
  await bucket.drop();
  log('dropped', await db.collection('files.chunks').countDocuments());
  await client.close();
}

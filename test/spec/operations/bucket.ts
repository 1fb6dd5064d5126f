/**
 * Operations on a GridFS bucket entity.
 */
import { once } from 'node:events';
import type { Document, GridFSBucket, GridFSBucketReadStream } from 'mongodb';
import { MalformedCaseError } from '../runner/format.ts';
import { tableOf } from './definition.ts';

export const BUCKET_OPERATIONS = tableOf<GridFSBucket>([
  {
    name: 'delete',
    requires: ['id'],
    run: (bucket, { id, ...options }) => bucket.delete(id, options),
  },
  {
    name: 'download',
    requires: ['id'],
    run: (bucket, { id, ...options }) => contentOf(bucket.openDownloadStream(id, options)),
  },
  {
    name: 'downloadByName',
    requires: ['filename'],
    run: (bucket, { filename, ...options }) =>
      contentOf(bucket.openDownloadStreamByName(filename, options)),
  },
  {
    name: 'drop',
    requires: [],
    run: (bucket, options) => bucket.drop(options),
  },
  {
    name: 'find',
    requires: ['filter'],
    run: (bucket, { filter, ...options }) => bucket.find(filter, options).toArray(),
  },
  {
    name: 'rename',
    requires: ['id', 'newFilename'],
    run: (bucket, { id, newFilename, ...options }) => bucket.rename(id, newFilename, options),
  },
  {
    name: 'upload',
    requires: ['filename', 'source'],
    run: async (bucket, { filename, source, disableMD5: _md5, ...options }) => {
      const stream = bucket.openUploadStream(filename, options);
      stream.end(bytesOf(source));
      await once(stream, 'finish');
      return stream.id;
    },
  },
]);

function bytesOf(source: Document): Buffer {
  const hex: unknown = source['$$hexBytes'];
  if (typeof hex !== 'string') throw new MalformedCaseError('a source is { $$hexBytes: … }');
  return Buffer.from(hex, 'hex');
}

async function contentOf(stream: GridFSBucketReadStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

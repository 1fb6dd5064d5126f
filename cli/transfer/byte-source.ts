/**
 * Bytes of a file or of standard input; what is compressed with gzip is recognised by its first bytes and unpacked.
 */
import { createReadStream } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { FailedCommand } from '../command-line/subcommand.ts';

const GZIP_MAGIC = [0x1f, 0x8b] as const;
const READ_BYTES = 256 * 1024;

export interface ByteSource {
  /** For messages. */
  readonly place: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** @param path '-': standard input. @param onRead told how many bytes were read, as they lie there. */
export function byteSource(path: string, onRead: (bytes: number) => void = () => {}): ByteSource {
  const place = path === '-' ? 'standard input' : path;
  const source: Readable =
    path === '-' ? process.stdin : createReadStream(path, { highWaterMark: READ_BYTES });
  return { place, bytes: unpacked(place, counted(place, source, onRead)) };
}

async function* counted(
  place: string,
  source: Readable,
  onRead: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of source) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      onRead(bytes.length);
      yield bytes;
    }
  } catch (error) {
    throw new FailedCommand(`cannot read ${place}: ${messageOf(error)}`);
  }
}

async function* unpacked(place: string, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const first = await chunks.next();
  if (first.done === true) return;
  if (first.value[0] !== GZIP_MAGIC[0] || first.value[1] !== GZIP_MAGIC[1]) {
    yield first.value;
    yield* chunks;
    return;
  }
  const output = new PassThrough();
  const done = pipeline(withFirst(first.value, chunks), createGunzip(), output);
  done.catch(() => undefined);
  try {
    for await (const chunk of output) yield chunk as Buffer;
    await done;
  } catch (error) {
    if (error instanceof FailedCommand) throw error;
    throw new FailedCommand(`cannot unpack ${place}: ${messageOf(error)}`);
  }
}

async function* withFirst(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

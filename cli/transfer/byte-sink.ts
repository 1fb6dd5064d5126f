/**
 * Bytes to a file or to standard output, compressed with gzip if it is wanted; a slow reader is waited for.
 *
 * Promises: a file has its name when all of it is there: until then it stands beside that, and a failure leaves nothing.
 */
import { createWriteStream, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { systemRandom } from '../../common/random.ts';
import { FailedCommand } from '../command-line/subcommand.ts';

const CHUNK_BYTES = 256 * 1024;
const UNFINISHED = '.unfinished';

export interface ByteSinkOptions {
  readonly gzip?: boolean;
  /** Whether a file of that name may be there already; default false. */
  readonly overwrite?: boolean;
}

export class ByteSink {
  private readonly first: Writable;
  private readonly done: Promise<void>;
  private readonly last: Writable;
  private readonly place: string;
  /** What the file is called until it is whole. */
  private readonly unfinished: string | undefined;
  private chunks: Buffer[] = [];
  private chunkBytes = 0;
  private failure: { readonly error: unknown } | undefined;

  static toFile(path: string, { gzip = false, overwrite = false }: ByteSinkOptions = {}): ByteSink {
    const found = statSync(path, { throwIfNoEntry: false });
    // A pipe or a device has no other name to be written under; a file that must stay is refused when it is opened.
    if (found !== undefined && !(found.isFile() && overwrite)) {
      const stream = createWriteStream(path, { flags: overwrite ? 'w' : 'wx' });
      return new ByteSink(path, stream, gzip);
    }
    // Not behind the name, which may be as long as names can be.
    const name = `.${systemRandom.bytes(6).toString('hex')}${UNFINISHED}`;
    const unfinished = join(dirname(path), name);
    return new ByteSink(path, createWriteStream(unfinished, { flags: 'w' }), gzip, unfinished);
  }

  static toStandardOutput({ gzip = false }: ByteSinkOptions = {}): ByteSink {
    return new ByteSink('standard output', standardOutput(), gzip);
  }

  private constructor(place: string, last: Writable, gzip: boolean, unfinished?: string) {
    this.place = place;
    this.last = last;
    this.unfinished = unfinished;
    const packer = gzip ? createGzip() : undefined;
    this.first = packer ?? last;
    this.done = packer === undefined ? finished(last) : pipeline(packer, last);
    this.done.catch((error: unknown) => {
      this.failure = { error };
    });
  }

  /** The bytes must not change until end(). */
  async write(bytes: Buffer): Promise<void> {
    this.chunks.push(bytes);
    this.chunkBytes += bytes.length;
    if (this.chunkBytes >= CHUNK_BYTES) await this.flush();
  }

  /** Resolves when everything has left. @throws FailedCommand */
  async end(): Promise<void> {
    await this.flush();
    this.first.end();
    try {
      await this.done;
      if (this.unfinished !== undefined) await rename(this.unfinished, this.place);
    } catch (error) {
      throw this.cannotWrite(error);
    }
  }

  /** Gives up: of a file nothing stays. */
  async abandon(): Promise<void> {
    this.first.destroy();
    this.last.destroy();
    if (this.unfinished === undefined) return;
    // Not before: what is being opened would come back.
    if (!this.last.closed) await new Promise((resolve) => this.last.once('close', resolve));
    await rm(this.unfinished, { force: true });
  }

  /** Hands on what was collected. @throws FailedCommand */
  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.chunks, this.chunkBytes);
    this.chunks = [];
    this.chunkBytes = 0;
    if (this.failure === undefined && bytes.length > 0 && !this.first.write(bytes)) {
      await this.drained();
    }
    if (this.failure !== undefined) throw this.cannotWrite(this.failure.error);
  }

  /** Resolves when there is room again, or when there will never be. */
  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        this.first.off('drain', settle).off('close', settle);
        resolve();
      };
      this.first.once('drain', settle).once('close', settle);
    });
  }

  private cannotWrite(error: unknown): FailedCommand {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') {
      return new FailedCommand(`${this.place} is there already; it is not overwritten.`);
    }
    if (code === 'EPIPE') return new FailedCommand(`who read ${this.place} has stopped reading.`);
    const reason = error instanceof Error ? error.message : String(error);
    return new FailedCommand(`cannot write ${this.place}: ${reason}`);
  }
}

/** Standard output belongs to the process: it is never ended, and each write is waited for. */
function standardOutput(): Writable {
  // What goes wrong is told to the write's callback too.
  process.stdout.on('error', () => {});
  return new Writable({
    write: (chunk: Buffer, _encoding, written) => {
      process.stdout.write(chunk, (error) => {
        written(error);
      });
    },
  });
}

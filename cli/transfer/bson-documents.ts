/**
 * A stream of bytes as the BSON documents in it, one behind the other.
 *
 * Promises: memory for one document and one chunk; what is no document is refused with its offset.
 */
import { readInt32, validateDocument } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_INTERNAL_BYTES } from '../../common/limits.ts';
import { FailedCommand } from '../command-line/subcommand.ts';

const LEAST_DOCUMENT_BYTES = 5;
const LENGTH_BYTES = 4;

/** Takes what it needs from a stream of chunks. */
export class ByteReader {
  /** Bytes taken so far. */
  offset = 0;
  private readonly chunks: AsyncIterator<Uint8Array>;
  private held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.chunks = source[Symbol.asyncIterator]();
  }

  /** The next int32, which is not taken; undefined at the end of the stream. @throws FailedCommand when less than that is there. */
  async peekInt32(what: string): Promise<number | undefined> {
    if (await this.fill(LENGTH_BYTES)) return readInt32(this.held, 0);
    if (this.held.length === 0) return undefined;
    throw this.tooShort(LENGTH_BYTES, what);
  }

  /** @throws FailedCommand when the stream ends before. */
  async take(count: number, what: string): Promise<Buffer> {
    if (!(await this.fill(count))) throw this.tooShort(count, what);
    const taken = this.held.subarray(0, count);
    this.held = this.held.subarray(count);
    this.offset += count;
    return taken;
  }

  /** @returns undefined at the end of the stream. @throws FailedCommand for what is no document. */
  async document(what: string): Promise<Buffer | undefined> {
    const bytes = await this.peekInt32(what);
    if (bytes === undefined) return undefined;
    const { offset } = this;
    if (bytes < LEAST_DOCUMENT_BYTES || bytes > MAX_BSON_INTERNAL_BYTES) {
      throw new FailedCommand(`${what} at offset ${offset}: ${bytes} is no length of a document.`);
    }
    const document = await this.take(bytes, what);
    try {
      validateDocument(document);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new FailedCommand(`${what} at offset ${offset} is no BSON: ${error.message}`);
    }
    return document;
  }

  /** Ends the stream, also in its middle. */
  async close(): Promise<void> {
    await this.chunks.return?.();
  }

  /** Whether so many bytes are held now. */
  private async fill(count: number): Promise<boolean> {
    if (this.held.length >= count) return true;
    const pieces = [this.held];
    let length = this.held.length;
    while (length < count) {
      const next = await this.chunks.next();
      if (next.done === true) break;
      const { buffer, byteOffset, byteLength } = next.value;
      pieces.push(Buffer.from(buffer, byteOffset, byteLength));
      length += byteLength;
    }
    this.held = Buffer.concat(pieces, length);
    return length >= count;
  }

  private tooShort(count: number, what: string): FailedCommand {
    return new FailedCommand(
      `${what} at offset ${this.offset} ends after ${this.held.length} of ${count} bytes.`,
    );
  }
}

export interface PlacedDocument {
  readonly document: Buffer;
  /** Where it begins, bytes. */
  readonly offset: number;
}

/** @param what how messages call a document. @throws FailedCommand */
export async function* bsonDocuments(
  source: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<PlacedDocument> {
  const reader = new ByteReader(source);
  try {
    for (;;) {
      const { offset } = reader;
      const document = await reader.document(what);
      if (document === undefined) return;
      yield { document, offset };
    }
  } finally {
    await reader.close();
  }
}

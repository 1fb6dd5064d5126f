/**
 * Reads the frames of a backup, and checks each before anybody sees it: header, contents, order, and whose they are.
 *
 * Promises: a flipped bit anywhere is a BackupDamage with file and offset; a file that ends within a frame says so (`torn`), because a
 * backup that was interrupted ends like that.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { ZstdLibrary } from '../../common/compression/zstd-library.ts';
import { crc32c } from '../../common/crc32c.ts';
import { CorruptionError } from '../../common/errors.ts';
import { BACKUP_FRAME, decodeFrameHeader, type FrameHeader } from '../../storage/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { BackupDamage } from './backup-damage.ts';

/** A frame of which only the header was read. */
export interface SkimmedFrame {
  readonly header: FrameHeader;
  /** Where it begins, and where the next one does. */
  readonly offset: number;
  readonly nextOffset: number;
}

export interface Frame extends SkimmedFrame {
  readonly contents: Buffer;
}

/** Bytes in order; fewer than asked for at the end only. */
interface ByteInput {
  read(bytes: number): Promise<Buffer>;
  /** Passes over bytes. @returns false when there are not so many */
  skip(bytes: number): Promise<boolean>;
  close(): Promise<void>;
}

export class FrameReader {
  /** For messages. */
  readonly file: string;
  /** Where a frame begins that is cut short; undefined while there is none. */
  torn: number | undefined;
  private readonly input: ByteInput;
  private readonly zstd: ZstdLibrary;
  private offset = 0;
  private sequence = 0;
  private backupId: string | undefined;

  /** @param path '-': standard input. @throws FailedCommand when it cannot be opened */
  static async open(path: string): Promise<FrameReader> {
    const zstd = await ZstdLibrary.load();
    const input = path === '-' ? streamInput(process.stdin) : await fileInput(path, 0);
    return new FrameReader(path === '-' ? 'standard input' : path, input, zstd);
  }

  /** From a frame on that skim() has found. */
  static async openAt(path: string, { offset, header }: SkimmedFrame): Promise<FrameReader> {
    const input = await fileInput(path, offset);
    const reader = new FrameReader(path, input, await ZstdLibrary.load());
    reader.offset = offset;
    reader.sequence = header.sequence;
    return reader;
  }

  private constructor(file: string, input: ByteInput, zstd: ZstdLibrary) {
    this.file = file;
    this.input = input;
    this.zstd = zstd;
  }

  /** The next frame; undefined at the end, and where the file ends within a frame. @throws BackupDamage */
  async next(): Promise<Frame | undefined> {
    const { offset } = this;
    const header = await this.nextHeader();
    if (header === undefined) return undefined;
    const stored = await this.input.read(header.storedBytes);
    if (stored.length < header.storedBytes) return this.tear(offset);
    const contents = this.contentsOf(header, stored, offset);
    return { ...this.pass(header, offset), contents };
  }

  /** The next frame without its contents, which are not checked. @throws BackupDamage */
  async skim(): Promise<SkimmedFrame | undefined> {
    const { offset } = this;
    const header = await this.nextHeader();
    if (header === undefined) return undefined;
    if (!(await this.input.skip(header.storedBytes))) return this.tear(offset);
    return this.pass(header, offset);
  }

  close(): Promise<void> {
    return this.input.close();
  }

  private async nextHeader(): Promise<FrameHeader | undefined> {
    const { offset } = this;
    const head = await this.input.read(BACKUP_FRAME.size);
    if (head.length === 0) return undefined;
    return head.length < BACKUP_FRAME.size ? this.tear(offset) : this.headerOf(head, offset);
  }

  private pass(header: FrameHeader, offset: number): SkimmedFrame {
    this.offset = offset + BACKUP_FRAME.size + header.storedBytes;
    this.sequence += 1;
    return { header, offset, nextOffset: this.offset };
  }

  private tear(offset: number): undefined {
    this.torn = offset;
  }

  private headerOf(head: Buffer, offset: number): FrameHeader {
    let header: FrameHeader;
    try {
      header = decodeFrameHeader(head);
    } catch (error) {
      throw this.asDamage(error, offset);
    }
    if (header.sequence !== this.sequence) {
      throw new BackupDamage(
        this.file,
        offset,
        `frame ${header.sequence} stands where frame ${this.sequence} should`,
      );
    }
    this.backupId ??= header.backupId;
    if (header.backupId !== this.backupId) {
      throw new BackupDamage(this.file, offset, 'a frame of another backup stands here');
    }
    return header;
  }

  private contentsOf(header: FrameHeader, stored: Buffer, offset: number): Buffer {
    if (crc32c(stored) !== header.contentsChecksum) {
      throw new BackupDamage(
        this.file,
        offset,
        `the contents of frame ${header.sequence} (${header.kind}) are damaged: their checksum does not fit`,
      );
    }
    if (header.codec === 'none') {
      if (stored.length === header.plainBytes) return stored;
      throw new BackupDamage(this.file, offset, 'the lengths of a frame do not fit');
    }
    try {
      const plain = this.zstd.decompress(stored, header.plainBytes);
      if (plain.length === header.plainBytes) return plain;
    } catch {
      // Said below.
    }
    throw new BackupDamage(this.file, offset, 'the contents of a frame cannot be unpacked');
  }

  private asDamage(error: unknown, offset: number): unknown {
    return error instanceof CorruptionError
      ? new BackupDamage(this.file, offset, error.detail)
      : error;
  }
}

async function fileInput(path: string, from: number): Promise<ByteInput> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw new FailedCommand(
      `cannot open ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const { size } = await file.stat();
  let position = from;
  return {
    async read(bytes) {
      const buffer = Buffer.allocUnsafe(bytes);
      let filled = 0;
      while (filled < bytes) {
        const { bytesRead } = await file.read(buffer, filled, bytes - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      position += filled;
      return buffer.subarray(0, filled);
    },
    skip(bytes) {
      position += bytes;
      return Promise.resolve(position <= size);
    },
    close: () => file.close(),
  };
}

function streamInput(stream: NodeJS.ReadableStream): ByteInput {
  const chunks = stream[Symbol.asyncIterator]();
  let held: Buffer[] = [];
  let heldBytes = 0;
  const read = async (bytes: number): Promise<Buffer> => {
    while (heldBytes < bytes) {
      const step = await chunks.next();
      if (step.done === true) break;
      const chunk = Buffer.from(step.value);
      held.push(chunk);
      heldBytes += chunk.length;
    }
    const all = held.length === 1 ? held[0] : Buffer.concat(held);
    const taken = all.subarray(0, bytes);
    held = [all.subarray(taken.length)];
    heldBytes = all.length - taken.length;
    return taken;
  };
  return {
    read,
    skip: async (bytes) => (await read(bytes)).length === bytes,
    close: () => Promise.resolve(),
  };
}

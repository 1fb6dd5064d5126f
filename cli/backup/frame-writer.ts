/**
 * Writes the frames of a backup, to a file or to standard output.
 *
 * Owns: the place where the next frame goes. Promises: what sync() has confirmed survives everything; a frame that was cut short by a
 * crash is found by its length. Bytes: docs/format/backup.md.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { ZstdLibrary } from '../../common/compression/zstd-library.ts';
import { crc32c } from '../../common/crc32c.ts';
import { BACKUP_FRAME, encodeFrameHeader, type FrameKind } from '../../storage/index.ts';

/** Where frames go. */
export interface FrameSink {
  write(bytes: Buffer): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Where a file of frames goes on. */
export interface FramePosition {
  readonly offset: number;
  readonly sequence: number;
}

export const FIRST_FRAME: FramePosition = { offset: 0, sequence: 0 };
/** zstd holds the whole of it twice. */
const MOST_COMPRESSED_BYTES = 64 * 1024 * 1024;
/** A frame that gets no smaller than this part of itself is not worth unpacking. */
const WORTH = 0.97;

export class FrameWriter {
  storedBytes = 0;
  private readonly sink: FrameSink;
  private readonly zstd: ZstdLibrary;
  private readonly backupId: string;
  private sequence: number;

  /** @param backupId 32 hexadecimal digits */
  static async open(
    sink: FrameSink,
    backupId: string,
    position: FramePosition = FIRST_FRAME,
  ): Promise<FrameWriter> {
    return new FrameWriter(sink, await ZstdLibrary.load(), backupId, position.sequence);
  }

  private constructor(sink: FrameSink, zstd: ZstdLibrary, backupId: string, sequence: number) {
    this.sink = sink;
    this.zstd = zstd;
    this.backupId = backupId;
    this.sequence = sequence;
  }

  get frames(): number {
    return this.sequence;
  }

  async write(kind: FrameKind, contents: Buffer): Promise<void> {
    const packed =
      contents.length > MOST_COMPRESSED_BYTES ? contents : this.zstd.compress(contents);
    const isPacked = packed.length < contents.length * WORTH;
    const stored = isPacked ? packed : contents;
    const header = encodeFrameHeader({
      kind,
      codec: isPacked ? 'zstd' : 'none',
      backupId: this.backupId,
      sequence: this.sequence,
      storedBytes: stored.length,
      plainBytes: contents.length,
      contentsChecksum: crc32c(stored),
    });
    await this.sink.write(Buffer.concat([header, stored]));
    this.sequence += 1;
    this.storedBytes += BACKUP_FRAME.size + stored.length;
  }

  sync(): Promise<void> {
    return this.sink.sync();
  }

  close(): Promise<void> {
    return this.sink.close();
  }
}

/** Frames behind what a file holds already; what lies behind that place is cut off. */
export async function fileSink(path: string, offset: number): Promise<FrameSink> {
  const file = await open(path, offset === 0 ? 'w' : 'r+', 0o600);
  try {
    await file.truncate(offset);
  } catch (error) {
    await file.close();
    throw error;
  }
  return new FileSink(file, offset);
}

class FileSink implements FrameSink {
  private readonly file: FileHandle;
  private offset: number;

  constructor(file: FileHandle, offset: number) {
    this.file = file;
    this.offset = offset;
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.file.write(bytes, at, bytes.length - at, this.offset);
      at += bytesWritten;
      this.offset += bytesWritten;
    }
  }

  sync(): Promise<void> {
    return this.file.datasync();
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

/** Standard output, or another stream: nothing can be taken up again there. */
export function streamSink(stream: NodeJS.WritableStream): FrameSink {
  // What goes wrong is told to the write's callback too.
  stream.on('error', () => {});
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => {
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      }),
    sync: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

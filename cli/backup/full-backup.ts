/**
 * Takes a full backup: the entries of the server's index store first, then its sectors, frame by frame.
 *
 * Promises: a tool that was killed goes on where the file ends, as long as the server still holds what it was copying; what is in the
 * file is of one commit, or of none.
 */
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import { encodeSectors, forEachStoreEntry, type SectorRun } from '../../storage/index.ts';
import type { Progress, Task } from '../command-line/progress.ts';
import {
  decodeDescription,
  encodeDescription,
  encodeEnd,
  type FullDescription,
} from './description.ts';
import { BackupDamage } from './backup-damage.ts';
import { FrameReader, type SkimmedFrame } from './frame-reader.ts';
import {
  fileSink,
  FIRST_FRAME,
  FrameWriter,
  type FramePosition,
  type FrameSink,
} from './frame-writer.ts';
import type { RateLimit } from './rate-limit.ts';
import { isLetGo, isNotFound, type ServerBackup } from './server-backup.ts';

const PIECE_BYTES = 1024 * 1024;
/** Flushed at least so often: what a killed tool has to copy again. */
const SYNC_BYTES = 64 * 1024 * 1024;

export interface FullBackupOptions {
  readonly rate: RateLimit;
  readonly progress: Progress;
  /** For progress; default backup. */
  readonly label?: string;
  /** Asked before each piece: the copy ends with a CopyStopped. */
  readonly isStopped?: () => boolean;
}

/** A copy was told to stop: it can be gone on with. */
export class CopyStopped extends Error {}

export interface FullBackupSummary {
  readonly backupId: string;
  readonly description: FullDescription;
  /** Read from the server, this time. */
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly resumed: boolean;
}

/** Where an unfinished file stands. */
export interface Unfinished {
  readonly description: FullDescription;
  readonly position: FramePosition;
  readonly lastKey: Buffer | undefined;
  /** Behind the last sector; undefined while entries are being copied. */
  readonly nextSector: number | undefined;
  readonly plainBytes: number;
}

export type ExistingFile =
  | { readonly state: 'finished' }
  /** Nothing of it can be gone on with. */
  | { readonly state: 'unusable' }
  | { readonly state: 'unfinished'; readonly at: Unfinished };

/** Looks at a file that may be a backup which was interrupted. @throws BackupDamage when it is damaged */
export async function lookAtFile(path: string): Promise<ExistingFile> {
  const reader = await FrameReader.open(path);
  try {
    const first = await reader.next();
    if (first === undefined) return { state: 'unusable' };
    const description = decodeDescription(reader.file, first);
    if (description.kind !== 'full') return { state: 'finished' };
    let last: SkimmedFrame = first;
    let plainBytes = 0;
    for (let frame = await reader.skim(); frame !== undefined; frame = await reader.skim()) {
      if (frame.header.kind === 'end') return { state: 'finished' };
      last = frame;
      plainBytes += frame.header.plainBytes;
    }
    const position = { offset: last.nextOffset, sequence: last.header.sequence + 1 };
    const common = { description, position, plainBytes };
    if (last.header.kind === 'start') {
      return { state: 'unfinished', at: { ...common, lastKey: undefined, nextSector: undefined } };
    }
    const contents = await contentsAt(path, last);
    const isEntries = last.header.kind === 'entries';
    const lastKey = isEntries ? lastKeyOf(contents) : undefined;
    const nextSector = isEntries ? undefined : nextSectorOf(contents);
    return { state: 'unfinished', at: { ...common, lastKey, nextSector } };
  } finally {
    await reader.close();
  }
}

async function contentsAt(path: string, frame: SkimmedFrame): Promise<Buffer> {
  const reader = await FrameReader.openAt(path, frame);
  try {
    const whole = await reader.next();
    if (whole === undefined) throw new BackupDamage(path, frame.offset, 'it has become shorter');
    return whole.contents;
  } finally {
    await reader.close();
  }
}

/** Whether the server still holds what an unfinished file was being copied from. */
export async function canGoOn(server: ServerBackup, at: Unfinished): Promise<boolean> {
  const { serverBackup, runs } = at.description;
  try {
    if (at.nextSector === undefined) await server.entries(serverBackup, at.lastKey);
    else if (runs.length > 0)
      await server.sectors(serverBackup, { first: runs[0].first, count: 1 });
    return true;
  } catch (error) {
    // Of a file that lost its end, the server may have let go what comes next.
    if (isNotFound(error) || isLetGo(error)) return false;
    throw error;
  }
}

/** A backup of which the server holds everything still, and which is copied by run(). */
export interface OpenFullBackup {
  readonly description: FullDescription;
  run(): Promise<FullBackupSummary>;
  /** Gives up before run(): the file can be gone on with. */
  close(): Promise<void>;
}

/** Begins a backup. */
export async function beginFullBackup(
  server: ServerBackup,
  sink: FrameSink,
  options: FullBackupOptions,
): Promise<OpenFullBackup> {
  const { id, point, runs, entryBytes } = await server.open();
  const description: FullDescription = {
    kind: 'full',
    backupId: systemRandom.bytes(16).toString('hex'),
    createdAt: new Date(systemClock.wallMs()),
    version: FLINTDB_VERSION,
    storeId: point.storeId,
    point,
    runs,
    entryBytes,
    serverBackup: id,
  };
  const writer = await FrameWriter.open(sink, description.backupId);
  await writer.write('start', encodeDescription(description));
  await writer.sync();
  const at: Unfinished = {
    description,
    position: FIRST_FRAME,
    lastKey: undefined,
    nextSector: undefined,
    plainBytes: 0,
  };
  return new FullCopy(server, writer, { at, resumed: false }, options);
}

/** Goes on with one that was interrupted. */
export async function goOnWithBackup(
  server: ServerBackup,
  path: string,
  at: Unfinished,
  options: FullBackupOptions,
): Promise<OpenFullBackup> {
  const sink = await fileSink(path, at.position.offset);
  const writer = await FrameWriter.open(sink, at.description.backupId, at.position);
  return new FullCopy(server, writer, { at, resumed: true }, options);
}

class FullCopy implements OpenFullBackup {
  private readonly server: ServerBackup;
  private readonly writer: FrameWriter;
  private readonly at: Unfinished;
  private readonly resumed: boolean;
  private readonly options: FullBackupOptions;
  private readonly task: Task;
  private plainBytes = 0;
  private unsyncedBytes = 0;

  constructor(
    server: ServerBackup,
    writer: FrameWriter,
    { at, resumed }: { readonly at: Unfinished; readonly resumed: boolean },
    options: FullBackupOptions,
  ) {
    this.server = server;
    this.writer = writer;
    this.at = at;
    this.resumed = resumed;
    this.options = options;
    const { point, runs, entryBytes } = at.description;
    const sectors = runs.reduce((sum, { count }) => sum + count, 0);
    const total = entryBytes + sectors * point.sectorBytes;
    this.task = options.progress.begin(options.label ?? 'backup', { total, unit: 'bytes' });
    if (at.plainBytes > 0) this.task.advance(at.plainBytes);
  }

  get description(): FullDescription {
    return this.at.description;
  }

  close(): Promise<void> {
    return this.writer.close();
  }

  async run(): Promise<FullBackupSummary> {
    const { writer, at, resumed } = this;
    const { description } = at;
    try {
      if (at.nextSector === undefined) await this.copyEntries();
      // The server lets the entries go with the first sector: who goes on must find all of them in the file.
      await writer.sync();
      await this.copySectors();
      await writer.write(
        'end',
        encodeEnd({
          commitNumber: description.point.commitNumber,
          frames: writer.frames,
          plainBytes: at.plainBytes + this.plainBytes,
          completedAt: new Date(systemClock.wallMs()),
        }),
      );
      await writer.sync();
    } finally {
      await writer.close();
    }
    await this.server.close(description.serverBackup);
    return {
      backupId: description.backupId,
      description,
      plainBytes: this.plainBytes,
      storedBytes: writer.storedBytes,
      resumed,
    };
  }

  private async copyEntries(): Promise<void> {
    const { serverBackup } = this.at.description;
    let next = this.server.entries(serverBackup, this.at.lastKey);
    for (;;) {
      const { bytes, last, isLast } = await next;
      // While this piece is compressed, the next one comes.
      if (!isLast) next = attended(this.server.entries(serverBackup, last));
      if (bytes.length > 0) await this.keep('entries', bytes, bytes.length);
      if (isLast) return;
    }
  }

  private async copySectors(): Promise<void> {
    const { serverBackup, point, runs } = this.at.description;
    const pieces = [...piecesOf(runs, this.at.nextSector ?? 0, PIECE_BYTES / point.sectorBytes)];
    const ask = (piece: SectorRun): Promise<Buffer> =>
      attended(this.server.sectors(serverBackup, piece));
    let next = pieces.length > 0 ? ask(pieces[0]) : undefined;
    for (const [index, piece] of pieces.entries()) {
      const sectors = await next;
      if (sectors === undefined) return;
      if (index + 1 < pieces.length) next = ask(pieces[index + 1]);
      const contents = encodeSectors(piece.first, piece.count, sectors);
      await this.keep('sectors', contents, sectors.length);
    }
  }

  private async keep(kind: 'entries' | 'sectors', contents: Buffer, bytes: number): Promise<void> {
    const { rate, isStopped } = this.options;
    await rate.resumed();
    if (isStopped?.() === true) throw new CopyStopped();
    await this.writer.write(kind, contents);
    this.plainBytes += contents.length;
    this.unsyncedBytes += contents.length;
    if (this.unsyncedBytes >= SYNC_BYTES) {
      await this.writer.sync();
      this.unsyncedBytes = 0;
    }
    this.task.advance(bytes);
    await this.options.rate.passed(bytes);
  }
}

/** Its failure is heard by whoever awaits it, also when something else has failed before. */
function attended<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** The sectors from `from` on, in pieces. */
function* piecesOf(
  runs: readonly SectorRun[],
  from: number,
  mostSectors: number,
): Generator<SectorRun> {
  for (const { first, count } of runs) {
    for (let at = Math.max(first, from); at < first + count;) {
      const piece = Math.min(mostSectors, first + count - at);
      yield { first: at, count: piece };
      at += piece;
    }
  }
}

function lastKeyOf(entries: Buffer): Buffer | undefined {
  let last: Buffer | undefined;
  forEachStoreEntry(entries, (key) => {
    last = key;
  });
  return last === undefined ? undefined : Buffer.from(last);
}

/** docs/format/backup.md#sectors: first and count stand in front. */
function nextSectorOf(contents: Buffer): number {
  return Number(contents.readBigUInt64LE(0)) + contents.readUInt32LE(8);
}

/**
 * A server's side of a backup, as the tool sees it: its commands, and their pieces as Buffers.
 *
 * Promises: pieces come one after the other, the next one asked for while the last one is being worked on.
 */
import { Binary, type Document } from 'bson';
import { MongoError, MongoServerError, type BaseClient } from '../../client/index.ts';
import type { BackupPoint, CommitNumber, CommitPoint, SectorRun } from '../../storage/index.ts';
import { bytesOf, pointDocument, pointOf, pointOfReply } from './description.ts';

export interface OpenedBackup {
  /** What the server calls it. */
  readonly id: string;
  readonly point: BackupPoint;
  readonly runs: readonly SectorRun[];
  readonly entryBytes: number;
}

export interface EntriesReply {
  readonly bytes: Buffer;
  readonly last: Buffer | undefined;
  readonly isLast: boolean;
}

/** What a server names while nothing that it says leaves it. */
export interface RaisedBarrier {
  readonly id: string;
  readonly commitNumber: CommitNumber;
  /** By its clock, milliseconds since 1970. */
  readonly wallMs: number;
}

export interface JournalReply {
  readonly bytes: Buffer;
  readonly upTo: CommitPoint;
  /** Up to the end of this second nothing more will come, seconds since 1970; undefined: there is more already. */
  readonly coveredSeconds: number | undefined;
}

const BAD_VALUE = 2;
/** CursorNotFound: the server holds it no longer. */
const NOT_FOUND = 43;
/** CappedPositionLost: the journal begins later, or has another history. */
const POSITION_LOST = 136;

/** The server is going away, or has: InterruptedAtShutdown, ShutdownInProgress. */
const ENDING_CODES: readonly unknown[] = [11_600, 91];

export class ServerBackup {
  private readonly client: BaseClient;

  constructor(client: BaseClient) {
    this.client = client;
  }

  async open(): Promise<OpenedBackup> {
    const reply = await this.run({ backupOpen: 1 });
    return { id: String(reply['backup']), ...pointOfReply(reply) };
  }

  /** @param storeId of the backup, 32 hexadecimal digits @throws MongoServerError: see isPositionLost */
  async openJournal(after: CommitPoint, storeId: string): Promise<string> {
    const reply = await this.run({
      backupOpenJournal: 1,
      after: pointDocument(after),
      storeId,
    });
    return String(reply['backup']);
  }

  async entries(id: string, after: Buffer | undefined): Promise<EntriesReply> {
    const reply = await this.run({
      backupRead: id,
      part: 'entries',
      ...(after === undefined ? {} : { after: new Binary(after) }),
    });
    const last: unknown = reply['last'];
    return {
      bytes: bytesOf(reply['bytes']),
      last: last === undefined ? undefined : bytesOf(last),
      isLast: reply['isLast'] === true,
    };
  }

  async sectors(id: string, { first, count }: SectorRun): Promise<Buffer> {
    return bytesOf((await this.run({ backupRead: id, part: 'sectors', first, count }))['bytes']);
  }

  async journal(id: string, awaitMillis: number): Promise<JournalReply> {
    const reply = await this.run({ backupRead: id, part: 'journal', awaitMillis });
    const coveredSeconds: unknown = reply['coveredSeconds'];
    return {
      bytes: bytesOf(reply['bytes']),
      upTo: pointOf(reply),
      coveredSeconds: coveredSeconds === undefined ? undefined : Number(coveredSeconds),
    };
  }

  /** @param limitMs after which the server goes on by itself */
  async raiseBarrier(limitMs: number): Promise<RaisedBarrier> {
    const reply = await this.run({ backupBarrier: 1, limitMillis: limitMs });
    const localTime: unknown = reply['localTime'];
    return {
      id: String(reply['barrier']),
      // It was one where it comes from; the brand exists for the compiler only.
      commitNumber: Number(reply['commitNumber']) as CommitNumber,
      wallMs: localTime instanceof Date ? localTime.getTime() : 0,
    };
  }

  /** @returns for how long it was up, milliseconds @throws MongoServerError when the server has gone on by itself */
  async releaseBarrier(id: string): Promise<number> {
    return Number((await this.run({ backupBarrierEnd: id }))['heldMillis']);
  }

  /** What the server held for it can be used again. One that it has closed already is no error. */
  async close(id: string): Promise<void> {
    try {
      await this.run({ backupClose: id });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  private run(command: Document): Promise<Document> {
    return this.client.db('admin').command(command);
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === NOT_FOUND;
}

/** Entries are asked for of a backup whose sectors have been read. */
export function isLetGo(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === BAD_VALUE;
}

export function isPositionLost(error: unknown): error is MongoServerError {
  return error instanceof MongoServerError && error.code === POSITION_LOST;
}

/** What may be gone in a while: a server that restarts, a connection that is lost. */
export function isPassing(error: unknown): boolean {
  if (isNotFound(error)) return true;
  if (error instanceof MongoServerError) return ENDING_CODES.includes(error.code);
  return error instanceof MongoError;
}

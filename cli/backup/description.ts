/**
 * The first and the last frame of a backup's file: BSON documents that say what it holds. docs/format/backup.md
 */
import {
  Binary,
  deserialize,
  Long,
  serialize,
  Timestamp as BsonTimestamp,
  type Document,
} from 'bson';
import type { BackupPoint, CommitNumber, CommitPoint, SectorRun } from '../../storage/index.ts';
import { BackupDamage } from './backup-damage.ts';
import type { Frame } from './frame-reader.ts';

const FORMAT = 'flintdb-backup';
const RUN_BYTES = 12;

interface AnyDescription {
  /** 32 hexadecimal digits. */
  readonly backupId: string;
  readonly createdAt: Date;
  /** Of the program that wrote it. */
  readonly version: string;
}

interface Description extends AnyDescription {
  /** Of the store that it was taken of, 32 hexadecimal digits. */
  readonly storeId: string;
}

/** A whole store at one commit. */
export interface FullDescription extends Description {
  readonly kind: 'full';
  readonly point: BackupPoint;
  readonly runs: readonly SectorRun[];
  /** About how many bytes the entries take. */
  readonly entryBytes: number;
  /** What the server holds for it while it is being taken. */
  readonly serverBackup: string;
}

/** The journal behind another backup. */
export interface JournalDescription extends Description {
  readonly kind: 'journal';
  readonly after: CommitPoint;
  /** The backup that it goes on from: its id, and its place as seen from the directory of this file. */
  readonly since: { readonly backupId: string; readonly path: string };
  /** It grows until whoever follows is stopped: what is there counts, with an end or without. */
  readonly isFollowed: boolean;
}

/** One server of a cluster. */
export interface ClusterServer {
  /** config, or the shard's name. */
  readonly name: string;
  /** host:port when the backup was taken. */
  readonly host: string;
  /** Of its backup, in the cluster's; of its data, in a directory of flint up. */
  readonly directory: string;
  /** 32 hexadecimal digits. */
  readonly storeId: string;
}

/** All servers of a cluster, each in a directory of its own. */
export interface ClusterDescription extends AnyDescription {
  readonly kind: 'cluster';
  /** The config server first, then the shards by their names. */
  readonly servers: readonly ClusterServer[];
  /** The cluster's backup that this one goes on from, as seen from its directory; undefined: none, it is a whole one. */
  readonly since: { readonly backupId: string; readonly path: string } | undefined;
}

export type ServerDescription = FullDescription | JournalDescription;
export type BackupDescription = ServerDescription | ClusterDescription;

/** What the last frame says: the backup is whole. */
export interface BackupEnd {
  readonly commitNumber: number;
  readonly frames: number;
  readonly plainBytes: number;
  readonly completedAt: Date;
}

export function encodeDescription(description: BackupDescription): Buffer {
  const { kind, backupId, createdAt, version } = description;
  const start = { format: FORMAT, kind, backupId: binaryOf(backupId), createdAt, version };
  if (description.kind === 'cluster') {
    const { servers, since } = description;
    return bsonOf({
      ...start,
      servers: servers.map((server) => ({ ...server, storeId: binaryOf(server.storeId) })),
      ...(since === undefined
        ? {}
        : { since: { backupId: binaryOf(since.backupId), path: since.path } }),
    });
  }
  const common = { ...start, storeId: binaryOf(description.storeId) };
  if (description.kind === 'journal') {
    const { after, since, isFollowed } = description;
    return bsonOf({
      ...common,
      after: pointDocument(after),
      since: { backupId: binaryOf(since.backupId), path: since.path },
      isFollowed,
    });
  }
  const { point, runs, entryBytes, serverBackup } = description;
  const { sectorBytes, extentSectors, pageSectors } = point;
  return bsonOf({
    ...common,
    at: pointDocument(point),
    sectorBytes,
    extentSectors,
    pageSectors,
    generationLimit: Long.fromNumber(point.generationLimit),
    base: new Binary(point.base),
    sectors: new Binary(packRuns(runs)),
    entryBytes: Long.fromNumber(entryBytes),
    serverBackup,
  });
}

/** @param file for messages @throws BackupDamage when it is no first frame of a backup */
export function decodeDescription(file: string, frame: Frame): BackupDescription {
  try {
    if (frame.header.kind === 'start') return readDescription(deserialize(frame.contents));
  } catch {
    // Said below.
  }
  throw new BackupDamage(file, frame.offset, 'it does not begin as a backup does');
}

function readDescription(document: Document): BackupDescription {
  if (document['format'] !== FORMAT) throw new TypeError('another format');
  const start = {
    backupId: hexOf(document['backupId']),
    createdAt: dateOf(document['createdAt']),
    version: String(document['version']),
  };
  if (document['kind'] === 'cluster') return { ...start, ...readCluster(document) };
  const common = { ...start, storeId: hexOf(document['storeId']) };
  if (document['kind'] === 'journal') {
    const { since } = document;
    return {
      ...common,
      kind: 'journal',
      after: pointOf(document['after']),
      since: { backupId: hexOf(since.backupId), path: String(since.path) },
      isFollowed: document['isFollowed'] === true,
    };
  }
  if (document['kind'] !== 'full') throw new TypeError('another kind');
  return {
    ...common,
    kind: 'full',
    point: {
      ...pointOf(document['at']),
      storeId: common.storeId,
      ...sizesOf(document),
      base: bytesOf(document['base']),
    },
    runs: unpackRuns(bytesOf(document['sectors'])),
    entryBytes: Number(document['entryBytes']),
    serverBackup: String(document['serverBackup']),
  };
}

function readCluster(document: Document): Omit<ClusterDescription, keyof AnyDescription> {
  const { servers, since } = document;
  if (!Array.isArray(servers)) throw new TypeError('no servers');
  return {
    kind: 'cluster',
    servers: servers.map((server: Document) => ({
      name: String(server['name']),
      host: String(server['host']),
      directory: String(server['directory']),
      storeId: hexOf(server['storeId']),
    })),
    since:
      since === undefined
        ? undefined
        : { backupId: hexOf(since.backupId), path: String(since.path) },
  };
}

/** From a reply of backupOpen. */
export function pointOfReply(reply: Document): {
  readonly point: BackupPoint;
  readonly runs: readonly SectorRun[];
  readonly entryBytes: number;
} {
  return {
    point: {
      ...pointOf(reply),
      storeId: String(reply['storeId']),
      ...sizesOf(reply),
      base: bytesOf(reply['base']),
    },
    runs: unpackRuns(bytesOf(reply['sectors'])),
    entryBytes: Number(reply['entryBytes']),
  };
}

function sizesOf(
  document: Document,
): Pick<BackupPoint, 'sectorBytes' | 'extentSectors' | 'pageSectors' | 'generationLimit'> {
  return {
    sectorBytes: Number(document['sectorBytes']),
    extentSectors: Number(document['extentSectors']),
    pageSectors: Number(document['pageSectors']),
    generationLimit: Number(document['generationLimit']),
  };
}

export function encodeEnd(end: BackupEnd): Buffer {
  return bsonOf({
    commitNumber: Long.fromNumber(end.commitNumber),
    frames: Long.fromNumber(end.frames),
    plainBytes: Long.fromNumber(end.plainBytes),
    completedAt: end.completedAt,
  });
}

/** @throws BackupDamage */
export function decodeEnd(file: string, frame: Frame): BackupEnd {
  const document = deserialize(frame.contents);
  const frames = Number(document['frames']);
  if (frames !== frame.header.sequence) {
    throw new BackupDamage(file, frame.offset, `it should have ${frames} frames before its last`);
  }
  return {
    frames,
    commitNumber: Number(document['commitNumber']),
    plainBytes: Number(document['plainBytes']),
    completedAt: dateOf(document['completedAt']),
  };
}

export function pointDocument({ commitNumber, timestamp }: CommitPoint): Document {
  const { seconds, increment } = timestamp;
  return {
    commitNumber: Long.fromNumber(commitNumber),
    timestamp: new BsonTimestamp({ t: seconds, i: increment }),
  };
}

/** Of a document with commitNumber and timestamp, as replies and descriptions have them. */
export function pointOf(document: Document): CommitPoint {
  const timestamp: unknown = document['timestamp'];
  if (!(timestamp instanceof BsonTimestamp)) throw new TypeError('no timestamp');
  return {
    // It was one where it comes from; the brand exists for the compiler only.
    commitNumber: Number(document['commitNumber']) as CommitNumber,
    timestamp: {
      seconds: timestamp.getHighBitsUnsigned(),
      increment: timestamp.getLowBitsUnsigned(),
    },
  };
}

/** Of a value that is binary data. */
export function bytesOf(value: unknown): Buffer {
  if (!(value instanceof Binary)) throw new TypeError('no binary data');
  return Buffer.from(value.buffer.buffer, value.buffer.byteOffset, value.length());
}

function packRuns(runs: readonly SectorRun[]): Buffer {
  const packed = Buffer.alloc(runs.length * RUN_BYTES);
  for (const [index, { first, count }] of runs.entries()) {
    packed.writeBigUInt64LE(BigInt(first), index * RUN_BYTES);
    packed.writeUInt32LE(count, index * RUN_BYTES + 8);
  }
  return packed;
}

function unpackRuns(packed: Buffer): SectorRun[] {
  const runs: SectorRun[] = [];
  for (let at = 0; at < packed.length; at += RUN_BYTES) {
    runs.push({ first: Number(packed.readBigUInt64LE(at)), count: packed.readUInt32LE(at + 8) });
  }
  return runs;
}

function binaryOf(hex: string): Binary {
  return new Binary(Buffer.from(hex, 'hex'));
}

function hexOf(value: unknown): string {
  return bytesOf(value).toString('hex');
}

function dateOf(value: unknown): Date {
  if (!(value instanceof Date)) throw new TypeError('no date');
  return value;
}

function bsonOf(document: Document): Buffer {
  return Buffer.from(serialize(document));
}

/**
 * The door to writing dumps in mongodump's formats: `flint backup --format mongodump`.
 *
 * Promises: memory for a batch of documents, however large a collection is; a dump that failed says so and is not closed
 * as if it were whole. As mongodump without --oplog, each collection is read as it is when its turn comes.
 */
import { FLINTDB_VERSION } from '../../common/version.ts';
import type { BaseClient } from '../../client/index.ts';
import type { NamespaceFilter } from '../command-line/namespace-filter.ts';
import { documentText, type Progress } from '../command-line/progress.ts';
import { ByteSink } from '../transfer/byte-sink.ts';
import {
  bytesOf,
  dataCollectionOf,
  listNamespaces,
  type NamespaceDescription,
} from '../transfer/namespaces.ts';
import { ArchiveTarget } from './archive-target.ts';
import type { DumpTarget } from './contract.ts';
import { DirectoryTarget } from './directory-target.ts';

export interface DumpOptions {
  /** Default: everything that is not the server's own. */
  readonly filter?: NamespaceFilter;
  /** One file in place of a directory. */
  readonly archive?: boolean;
  readonly gzip?: boolean;
  /** Whether what is there already may be written over; default false. */
  readonly overwrite?: boolean;
  readonly progress: Progress;
}

export interface DumpSummary {
  readonly namespaces: number;
  readonly documents: number;
  /** Of documents, before compression. */
  readonly bytes: number;
}

const TOOL_VERSION = `flint-${FLINTDB_VERSION}`;

/** @param target a directory, a file, or '-' for an archive on standard output. @throws FailedCommand */
export async function dumpTo(
  client: BaseClient,
  target: string,
  options: DumpOptions,
): Promise<DumpSummary> {
  const { filter = () => true, progress } = options;
  const namespaces = await listNamespaces(client, filter);
  const out = openTarget(target, options);
  try {
    await out.begin(namespaces, await serverVersion(client));
    let documents = 0;
    let bytes = 0;
    for (const namespace of namespaces) {
      const written = await dumpNamespace(client, namespace, out, progress);
      documents += written.documents;
      bytes += written.bytes;
    }
    await out.close();
    return { namespaces: namespaces.length, documents, bytes };
  } catch (error) {
    await out.abandon();
    throw error;
  }
}

function openTarget(
  target: string,
  { archive = false, gzip = false, overwrite = false }: DumpOptions,
): DumpTarget {
  const toolVersion = TOOL_VERSION;
  if (target === '-') return new ArchiveTarget(ByteSink.toStandardOutput({ gzip }), toolVersion);
  if (!archive) return new DirectoryTarget(target, { gzip, overwrite, toolVersion });
  return new ArchiveTarget(ByteSink.toFile(target, { gzip, overwrite }), toolVersion);
}

/** What a dump says of the server that it comes from: mongorestore reads it. */
async function serverVersion(client: BaseClient): Promise<string> {
  const { version } = await client.db('admin').command({ buildInfo: 1 });
  return String(version);
}

async function dumpNamespace(
  client: BaseClient,
  namespace: NamespaceDescription,
  target: DumpTarget,
  progress: Progress,
): Promise<{ readonly documents: number; readonly bytes: number }> {
  const sink = await target.open(namespace);
  let documents = 0;
  let bytes = 0;
  if (namespace.kind !== 'view') {
    const collection = client.db(namespace.database).collection(dataCollectionOf(namespace));
    const total = await collection.estimatedDocumentCount();
    const task = progress.begin(`${namespace.database}.${namespace.collection}`, { total });
    for await (const document of collection.find({}, { raw: true, noCursorTimeout: true })) {
      const raw = bytesOf(document);
      await sink.write(raw);
      documents += 1;
      bytes += raw.length;
      task.advance(1);
    }
    task.end(documentText(documents));
  }
  await sink.end();
  return { documents, bytes };
}

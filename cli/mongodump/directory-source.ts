/**
 * Reads a dump directory: one directory of each database, in it a .bson and a .metadata.json of each collection.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FailedCommand } from '../command-line/subcommand.ts';
import { bsonDocuments } from '../transfer/bson-documents.ts';
import { byteSource } from '../transfer/byte-source.ts';
import type { DumpedNamespace, DumpEvent, DumpSource } from './contract.ts';
import { collectionOfFileName } from './file-names.ts';
import { decodeMetadata } from './metadata.ts';
import { noteOnSpecial } from './special-namespaces.ts';

const FILE = /^(?<name>.+?)\.(?<kind>bson|metadata\.json)(?:\.gz)?$/s;
const BUCKETS = 'system.buckets.';

/** The two files of a collection, as far as they are there. */
interface Files {
  data?: string;
  metadata?: string;
}

export class DirectorySource implements DumpSource {
  readonly namespaces: readonly DumpedNamespace[];
  readonly notes: readonly string[];
  private readonly files: ReadonlyMap<DumpedNamespace, string | undefined>;

  /** @throws FailedCommand */
  static async open(directory: string): Promise<DirectorySource> {
    const notes = new Set<string>();
    const files = new Map<DumpedNamespace, string | undefined>();
    let isDump = false;
    for (const entry of await entriesOf(directory)) {
      // Of an empty server there is nothing but the prelude.
      isDump ||= entry.isDirectory() || isPrelude(entry.name);
      if (entry.isDirectory()) {
        const path = join(directory, entry.name);
        for (const [namespace, data] of await readDatabase(entry.name, path, notes)) {
          files.set(namespace, data);
        }
      } else noteFile(directory, entry.name, notes);
    }
    if (!isDump) throw new FailedCommand(notADump(directory));
    return new DirectorySource(files, [...notes]);
  }

  private constructor(
    files: ReadonlyMap<DumpedNamespace, string | undefined>,
    notes: readonly string[],
  ) {
    this.files = files;
    this.namespaces = [...files.keys()];
    this.notes = notes;
  }

  placeOf(namespace: DumpedNamespace): string {
    return this.files.get(namespace) ?? '';
  }

  async *events(wanted: (namespace: DumpedNamespace) => boolean): AsyncGenerator<DumpEvent> {
    for (const [namespace, data] of this.files) {
      if (!wanted(namespace)) continue;
      if (data !== undefined) {
        for await (const { document, offset } of bsonDocuments(byteSource(data).bytes, data)) {
          yield { type: 'document', namespace, document, offset };
        }
      }
      yield { type: 'end', namespace };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function entriesOf(directory: string) {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FailedCommand(`cannot read ${directory}: ${reason}`);
  }
}

function isPrelude(name: string): boolean {
  return /^prelude\.json(\.gz)?$/.test(name);
}

/** What lies beside the directories of databases. */
function noteFile(directory: string, name: string, notes: Set<string>): void {
  if (isPrelude(name)) return;
  if (/^oplog\.bson(\.gz)?$/.test(name)) {
    notes.add(noteOnSpecial({ database: '', collection: 'oplog' }) ?? '');
  } else if (FILE.test(name)) throw new FailedCommand(notADump(directory));
  else notes.add(`${join(directory, name)} is no file of a dump; it is left alone.`);
}

function notADump(directory: string): string {
  return `${directory} is no dump: it should hold one directory of each database (give the directory above that of a database).`;
}

async function readDatabase(
  database: string,
  path: string,
  notes: Set<string>,
): Promise<Map<DumpedNamespace, string | undefined>> {
  const byName = new Map<string, Files>();
  for (const entry of await entriesOf(path)) {
    const match = entry.isFile() ? FILE.exec(entry.name) : null;
    const { name, kind } = match?.groups ?? {};
    if (name === undefined || name === 'prelude') {
      if (name === undefined && !isPrelude(entry.name)) {
        notes.add(`${join(path, entry.name)} is no file of a dump; it is left alone.`);
      }
      continue;
    }
    const files = byName.get(name) ?? {};
    files[kind === 'bson' ? 'data' : 'metadata'] = join(path, entry.name);
    byName.set(name, files);
  }
  return namespacesOf(database, byName, notes);
}

async function namespacesOf(
  database: string,
  byName: ReadonlyMap<string, Files>,
  notes: Set<string>,
): Promise<Map<DumpedNamespace, string | undefined>> {
  const found = new Map<DumpedNamespace, string | undefined>();
  const buckets = new Map<string, string>();
  for (const [fileName, { data, metadata }] of byName) {
    const named = collectionOfFileName(fileName);
    // Buckets have no metadata of their own: they are their time series' documents.
    if (metadata === undefined && data !== undefined && named?.startsWith(BUCKETS) === true) {
      buckets.set(named.slice(BUCKETS.length), data);
      continue;
    }
    const text = metadata === undefined ? '' : await textOf(metadata);
    const { collection = named, ...rest } = decodeMetadata(text, metadata ?? fileName);
    if (collection === undefined) {
      throw new FailedCommand(`${metadata ?? data}: nothing tells the collection's whole name.`);
    }
    const note = noteOnSpecial({ database, collection });
    if (note === undefined) found.set({ database, collection, ...rest }, data);
    else notes.add(note);
  }
  for (const namespace of found.keys()) {
    if (namespace.kind === 'timeseries') found.set(namespace, buckets.get(namespace.collection));
  }
  return found;
}

async function textOf(path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of byteSource(path).bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

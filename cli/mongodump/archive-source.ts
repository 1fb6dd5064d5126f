/**
 * Reads an archive of mongodump, in which the documents of several collections may lie in turns.
 *
 * Promises: what is damaged or cut off is named with its offset; a collection counts as whole only when its checksum is
 * right and its end was seen.
 */
import { FailedCommand } from '../command-line/subcommand.ts';
import { ByteReader } from '../transfer/bson-documents.ts';
import { byteSource } from '../transfer/byte-source.ts';
import { dataCollectionOf } from '../transfer/namespaces.ts';
import {
  ARCHIVE_MAGIC,
  decodeArchiveHeader,
  decodeNamespaceHeader,
  decodePreludeEntry,
  TERMINATOR_VALUE,
  type NamespaceHeader,
} from './archive-format.ts';
import type { DumpedNamespace, DumpEvent, DumpSource } from './contract.ts';
import { Crc64 } from './crc64.ts';
import { decodeMetadata } from './metadata.ts';
import { noteOnSpecial } from './special-namespaces.ts';

const MAGIC_BYTES = 4;

/** A namespace that has begun and not ended. */
interface Open {
  readonly crc: Crc64;
  /** undefined: it is not restored. */
  readonly namespace: DumpedNamespace | undefined;
}

export class ArchiveSource implements DumpSource {
  readonly namespaces: readonly DumpedNamespace[];
  readonly notes: readonly string[];
  private readonly reader: ByteReader;
  private readonly place: string;
  private readonly byData: ReadonlyMap<string, DumpedNamespace>;

  /** Reads the prelude. @param path '-': standard input. @throws FailedCommand */
  static async open(path: string): Promise<ArchiveSource> {
    const { bytes, place } = byteSource(path);
    const reader = new ByteReader(bytes);
    const magic = await reader.peekInt32(place);
    if (magic === undefined || magic >>> 0 !== ARCHIVE_MAGIC) {
      throw new FailedCommand(`${place} is no archive of mongodump.`);
    }
    await reader.take(MAGIC_BYTES, place);
    const header = await documentOrEnd(reader, place);
    if (header === undefined) throw new FailedCommand(`${place}: the archive has no header.`);
    decodeArchiveHeader(header);
    const namespaces: DumpedNamespace[] = [];
    const notes = new Set<string>();
    for (;;) {
      const document = await documentOrEnd(reader, place);
      if (document === undefined) break;
      const { database, collection, metadata } = decodePreludeEntry(document);
      const note = noteOnSpecial({ database, collection });
      if (note === undefined) {
        const where = `${place}, metadata of ${database}.${collection}`;
        const { options, indexes, kind } = decodeMetadata(metadata, where);
        namespaces.push({ database, collection, kind, options, indexes });
      } else notes.add(note);
    }
    return new ArchiveSource({ reader, place, namespaces, notes: [...notes] });
  }

  private constructor(parts: {
    readonly reader: ByteReader;
    readonly place: string;
    readonly namespaces: readonly DumpedNamespace[];
    readonly notes: readonly string[];
  }) {
    this.reader = parts.reader;
    this.place = parts.place;
    this.namespaces = parts.namespaces;
    this.notes = parts.notes;
    this.byData = new Map(parts.namespaces.map((namespace) => [dataNameOf(namespace), namespace]));
  }

  placeOf(_namespace: DumpedNamespace): string {
    return this.place;
  }

  async *events(wanted: (namespace: DumpedNamespace) => boolean): AsyncGenerator<DumpEvent> {
    const { reader, place } = this;
    const open = new Map<string, Open>();
    const ended = new Set<string>();
    for (;;) {
      const { offset } = reader;
      if ((await reader.peekInt32(place)) === undefined) break;
      const block = await documentOrEnd(reader, place);
      if (block === undefined) {
        throw new FailedCommand(`${place}, offset ${offset}: a block begins with its end.`);
      }
      const header = decodeNamespaceHeader(block);
      const name = `${header.database}.${header.collection}`;
      if (ended.has(name)) {
        throw new FailedCommand(`${place}, offset ${offset}: ${name} goes on after its end.`);
      }
      const current = open.get(name) ?? this.begin(header, wanted);
      open.set(name, current);
      yield* this.documents(current);
      if (!header.eof) continue;
      this.checkSum(header, current, offset);
      open.delete(name);
      ended.add(name);
      if (current.namespace !== undefined) yield { type: 'end', namespace: current.namespace };
    }
    this.checkEnd([...open.keys()], ended);
  }

  close(): Promise<void> {
    return this.reader.close();
  }

  private begin(header: NamespaceHeader, wanted: (namespace: DumpedNamespace) => boolean): Open {
    const name = `${header.database}.${header.collection}`;
    const namespace = this.byData.get(name);
    if (namespace === undefined && noteOnSpecial(header) === undefined) {
      throw new FailedCommand(`${this.place}: the archive's prelude does not name ${name}.`);
    }
    const isWanted = namespace !== undefined && wanted(namespace);
    return { crc: new Crc64(), namespace: isWanted ? namespace : undefined };
  }

  private async *documents({ crc, namespace }: Open): AsyncGenerator<DumpEvent> {
    for (;;) {
      const { offset } = this.reader;
      const document = await documentOrEnd(this.reader, this.place);
      if (document === undefined) return;
      crc.update(document);
      if (namespace !== undefined) yield { type: 'document', namespace, document, offset };
    }
  }

  private checkSum(header: NamespaceHeader, { crc }: Open, offset: number): void {
    if (header.crc === crc.value) return;
    throw new FailedCommand(
      `${this.place}, offset ${offset}: the checksum of ${header.database}.${header.collection} is ${header.crc}, its documents have ${crc.value}.`,
    );
  }

  /** @throws FailedCommand when the archive was cut off between blocks. */
  private checkEnd(open: readonly string[], ended: ReadonlySet<string>): void {
    const missing = [
      ...open,
      ...[...this.byData.keys()].filter((name) => !ended.has(name) && !open.includes(name)),
    ];
    if (missing.length === 0) return;
    throw new FailedCommand(
      `${this.place} ends at offset ${this.reader.offset} before ${missing.join(', ')} was whole: the dump was not finished.`,
    );
  }
}

/** @returns undefined at a block's end, which is taken. */
async function documentOrEnd(reader: ByteReader, place: string): Promise<Buffer | undefined> {
  if ((await reader.peekInt32(place)) === TERMINATOR_VALUE) {
    await reader.take(MAGIC_BYTES, place);
    return undefined;
  }
  const document = await reader.document(place);
  if (document === undefined) {
    throw new FailedCommand(`${place} ends at offset ${reader.offset}, in the middle of a block.`);
  }
  return document;
}

function dataNameOf(namespace: DumpedNamespace): string {
  return `${namespace.database}.${dataCollectionOf(namespace)}`;
}

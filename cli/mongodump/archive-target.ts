/**
 * Writes a dump as one archive: the prelude, then one namespace behind the other.
 */
import { dataCollectionOf, type NamespaceDescription } from '../transfer/namespaces.ts';
import type { ByteSink } from '../transfer/byte-sink.ts';
import {
  encodeArchiveHeader,
  encodeMagic,
  encodeNamespaceHeader,
  encodePreludeEntry,
  TERMINATOR,
} from './archive-format.ts';
import type { DocumentSink, DumpTarget } from './contract.ts';
import { Crc64 } from './crc64.ts';
import { encodeMetadata } from './metadata.ts';

export class ArchiveTarget implements DumpTarget {
  private readonly sink: ByteSink;
  private readonly toolVersion: string;

  constructor(sink: ByteSink, toolVersion: string) {
    this.sink = sink;
    this.toolVersion = toolVersion;
  }

  async begin(namespaces: readonly NamespaceDescription[], serverVersion: string): Promise<void> {
    const { sink, toolVersion } = this;
    await sink.write(encodeMagic());
    await sink.write(encodeArchiveHeader({ serverVersion, toolVersion }));
    for (const namespace of namespaces) {
      const { database, collection, kind } = namespace;
      const metadata = encodeMetadata(namespace);
      await sink.write(encodePreludeEntry({ database, collection, metadata, type: kind }));
    }
    await sink.write(TERMINATOR);
  }

  async open(namespace: NamespaceDescription): Promise<DocumentSink> {
    const { sink } = this;
    const place = { database: namespace.database, collection: dataCollectionOf(namespace) };
    const crc = new Crc64();
    await sink.write(encodeNamespaceHeader({ ...place, eof: false, crc: 0n }));
    return {
      write: (document) => {
        crc.update(document);
        return sink.write(document);
      },
      end: async () => {
        await sink.write(TERMINATOR);
        await sink.write(encodeNamespaceHeader({ ...place, eof: true, crc: crc.value }));
        await sink.write(TERMINATOR);
      },
    };
  }

  close(): Promise<void> {
    return this.sink.end();
  }

  abandon(): Promise<void> {
    return this.sink.abandon();
  }
}

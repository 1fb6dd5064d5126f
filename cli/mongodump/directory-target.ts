/**
 * Writes a dump as a directory: one of each database, two files of each collection, and prelude.json, which comes last.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FailedCommand } from '../command-line/subcommand.ts';
import { ByteSink } from '../transfer/byte-sink.ts';
import { dataCollectionOf, type NamespaceDescription } from '../transfer/namespaces.ts';
import type { DocumentSink, DumpTarget } from './contract.ts';
import { directoryNameOf, fileNameOf } from './file-names.ts';
import { encodeMetadata } from './metadata.ts';

export interface DirectoryTargetOptions {
  readonly gzip: boolean;
  readonly overwrite: boolean;
  readonly toolVersion: string;
}

export class DirectoryTarget implements DumpTarget {
  private readonly directory: string;
  private readonly options: DirectoryTargetOptions;
  private serverVersion = '';
  private sink: ByteSink | undefined;

  constructor(directory: string, options: DirectoryTargetOptions) {
    this.directory = directory;
    this.options = options;
  }

  async begin(namespaces: readonly NamespaceDescription[], serverVersion: string): Promise<void> {
    this.serverVersion = serverVersion;
    await mkdir(this.directory, { recursive: true });
    const there = await readdir(this.directory);
    if (there.length > 0 && !this.options.overwrite) {
      throw new FailedCommand(`${this.directory} is not empty; it is not overwritten.`);
    }
    for (const namespace of namespaces) {
      const path = this.pathOf(namespace.database, namespace.collection, 'metadata.json');
      await this.writeFile(path, encodeMetadata(namespace));
    }
  }

  async open(namespace: NamespaceDescription): Promise<DocumentSink> {
    // A view has no documents, and in a directory no file for them.
    if (namespace.kind === 'view') {
      return { write: () => Promise.resolve(), end: () => Promise.resolve() };
    }
    const path = this.pathOf(namespace.database, dataCollectionOf(namespace), 'bson');
    await mkdir(dirname(path), { recursive: true });
    const sink = ByteSink.toFile(path, this.options);
    this.sink = sink;
    return { write: (document) => sink.write(document), end: () => sink.end() };
  }

  async close(): Promise<void> {
    const prelude = { ServerVersion: this.serverVersion, ToolVersion: this.options.toolVersion };
    await this.writeFile(join(this.directory, this.named('prelude.json')), JSON.stringify(prelude));
  }

  async abandon(): Promise<void> {
    await this.sink?.abandon();
  }

  private async writeFile(path: string, text: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const sink = ByteSink.toFile(path, this.options);
    await sink.write(Buffer.from(text));
    await sink.end();
  }

  private pathOf(database: string, collection: string, ending: string): string {
    const name = this.named(`${fileNameOf(collection)}.${ending}`);
    return join(this.directory, directoryNameOf(database), name);
  }

  private named(name: string): string {
    return this.options.gzip ? `${name}.gz` : name;
  }
}

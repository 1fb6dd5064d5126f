/**
 * The door to reading dumps in mongodump's formats into a running server: `flint restore --format mongodump`.
 *
 * Promises: nothing is written over that is there already, unless the collection is to be dropped before, and then not before all of the dump
 * has been read and found sound (from standard input it comes only once); documents that
 * the server refuses are named with their place; memory for a few batches. Indexes come after the documents. Documents are written past validators:
 * a copy of a collection has what the collection had.
 */
import { stat } from 'node:fs/promises';
import type { BaseClient } from '../../client/index.ts';
import type { NamespaceFilter } from '../command-line/namespace-filter.ts';
import { documentText, type Progress } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { NamespaceLoader } from '../transfer/namespace-loader.ts';
import { ArchiveSource } from './archive-source.ts';
import type { DumpedNamespace, DumpSource } from './contract.ts';
import { DirectorySource } from './directory-source.ts';

export interface RestoreOptions {
  readonly filter?: NamespaceFilter;
  /** Each collection of the dump is dropped before it is restored; default false. */
  readonly drop?: boolean;
  /** The first refused document ends it; default false. */
  readonly stopOnError?: boolean;
  readonly indexes?: boolean;
  readonly progress: Progress;
}

export interface RestoreSummary {
  readonly namespaces: number;
  readonly documents: number;
  /** Documents that the server did not take. */
  readonly refused: number;
}

/** @param dump a directory, an archive, or '-' for an archive on standard input. @throws FailedCommand */
export async function restoreDump(
  client: BaseClient,
  dump: string,
  options: RestoreOptions,
): Promise<RestoreSummary> {
  if (options.drop === true) await checkDump(dump, options);
  const source = await openDump(dump);
  try {
    return await restoreFrom(client, source, options);
  } finally {
    await source.close();
  }
}

/** Reads all that is wanted of a dump. @throws FailedCommand for a damaged one */
async function checkDump(
  dump: string,
  { filter = () => true, progress }: RestoreOptions,
): Promise<void> {
  if (dump === '-') {
    progress.say(
      'What comes from standard input cannot be checked before collections are dropped.',
    );
    return;
  }
  const source = await openDump(dump);
  const task = progress.begin('check');
  try {
    for await (const { type } of source.events(filter)) {
      if (type === 'document') task.advance(1);
    }
    task.end();
  } finally {
    await source.close();
  }
}

async function openDump(dump: string): Promise<DumpSource> {
  if (dump === '-') return ArchiveSource.open(dump);
  const found = await stat(dump).catch(() => undefined);
  if (found === undefined) throw new FailedCommand(`there is no ${dump}.`);
  return found.isDirectory() ? DirectorySource.open(dump) : ArchiveSource.open(dump);
}

async function restoreFrom(
  client: BaseClient,
  source: DumpSource,
  { filter = () => true, progress, ...options }: RestoreOptions,
): Promise<RestoreSummary> {
  for (const note of source.notes) progress.say(note);
  const wanted = source.namespaces.filter(filter);
  const loader = new NamespaceLoader(client, { ...options, dropFlag: '--force', progress });
  await loader.prepare(wanted);
  const isWanted = new Set<DumpedNamespace>(wanted);
  for await (const event of source.events((namespace) => isWanted.has(namespace))) {
    const { namespace } = event;
    if (event.type === 'end') await loader.finish(namespace);
    else
      await loader.add(namespace, event.document, {
        file: source.placeOf(namespace),
        offset: event.offset,
      });
  }
  await loader.finishAll();
  const { documents, refused } = loader;
  progress.say(`${documentText(documents)} restored, ${refused} refused.`);
  return { namespaces: wanted.length, documents, refused };
}

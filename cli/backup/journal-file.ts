/**
 * The files of a journal in a backup's directory: how the next one begins.
 */
import { open, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import { describe, findChain, journalFilesIn, journalName } from './backup-chain.ts';
import { encodeDescription, type JournalDescription } from './description.ts';
import { fileSink, FrameWriter, streamSink, type FrameSink } from './frame-writer.ts';

export interface JournalFile {
  readonly writer: FrameWriter;
  readonly backupId: string;
}

/** What the file says of itself. */
export type JournalFileStart = Pick<
  JournalDescription,
  'storeId' | 'after' | 'since' | 'isFollowed'
>;

/** @param target a directory, in which the file is the next one, or '-' */
export async function beginJournalFile(
  target: string,
  start: JournalFileStart,
): Promise<JournalFile> {
  const backupId = systemRandom.bytes(16).toString('hex');
  const writer = await FrameWriter.open(await sinkOf(target), backupId);
  try {
    await writer.write(
      'start',
      encodeDescription({
        kind: 'journal',
        backupId,
        createdAt: new Date(systemClock.wallMs()),
        version: FLINTDB_VERSION,
        ...start,
      }),
    );
    await writer.sync();
    if (target !== '-') await syncDirectory(target);
  } catch (error) {
    await writer.close();
    throw error;
  }
  return { writer, backupId };
}

/** The id of the first file of a place, or of the file that it is; undefined when the directory has none of its own. */
export async function firstBackupId(place: string): Promise<string | undefined> {
  const { base, journals } = await findChain(place);
  const found = await stat(place);
  if (!found.isDirectory()) return (await describe(place)).backupId;
  const own = [base, ...journals].find((file) => resolve(file, '..') === resolve(place));
  return own === undefined ? undefined : (await describe(own)).backupId;
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function sinkOf(target: string): Promise<FrameSink> {
  if (target === '-') return streamSink(process.stdout);
  const names = await journalFilesIn(target);
  const number = Number(/\d+/.exec(names.at(-1) ?? '0')?.[0] ?? 0) + 1;
  return fileSink(join(target, journalName(number)), 0);
}

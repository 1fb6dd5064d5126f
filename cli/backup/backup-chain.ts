/**
 * Finds what belongs to a backup: the full one that it rests on, and the journal behind that, file by file.
 *
 * A directory holds `base.backup`, or the journal behind another backup, in files `journal-<ten digits>.backup`. A file holds one of
 * the two. What a journal goes on from is found by the path that it tells, as seen from its own directory.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  compareTimestamps,
  decodeJournalFrame,
  journalEntryLength,
  journalEntryStamp,
  type CommitPoint,
  type Timestamp,
} from '../../storage/index.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { BackupDamage } from './backup-damage.ts';
import {
  decodeDescription,
  decodeEnd,
  type BackupDescription,
  type FullDescription,
  type JournalDescription,
} from './description.ts';
import { FrameReader } from './frame-reader.ts';

export const BASE_NAME = 'base.backup';
/** A store that will take the place of the base: see base-renewal.ts. */
export const NEXT_BASE_NAME = 'next.backup';
const JOURNAL_NAME = /^journal-\d{10}\.backup$/;
/** More than this many backups on top of each other are a circle. */
const LONGEST_CHAIN = 10_000;

export interface BackupChain {
  /** The full backup. */
  readonly base: string;
  readonly description: FullDescription;
  /** Files of the journal behind it, in order. */
  readonly journals: readonly string[];
}

/** Where a chain ends. */
export interface ChainEnd {
  readonly last: CommitPoint;
  readonly coveredTo: Timestamp;
  /** Files of the journal that end within a frame: they were interrupted, or have lost their end. */
  readonly cut: readonly CutFile[];
  /** The last file of the journal, when it has no end: whoever wrote it was interrupted, or still follows the journal. */
  readonly open: { readonly file: string; readonly isFollowed: boolean } | undefined;
}

export interface CutFile {
  readonly file: string;
  /** Where that frame begins. */
  readonly offset: number;
}

export function journalName(number: number): string {
  return `journal-${String(number).padStart(10, '0')}.backup`;
}

/** @returns the names of the journal's files in a directory, in order */
export async function journalFilesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => JOURNAL_NAME.test(name)).sort();
}

/** Whether there is a backup: a directory with its files, or a file that begins as one. */
export async function isBackup(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (found.isDirectory()) {
    const names = await readdir(path);
    return names.includes(BASE_NAME) || names.some((name) => JOURNAL_NAME.test(name));
  }
  return found.isFile() && found.size > 0;
}

/** @param basePath where to look for the full backup, if not where the journal says. @throws FailedCommand, BackupDamage */
export async function findChain(path: string, basePath?: string): Promise<BackupChain> {
  const files = await filesOf(path);
  const journals: string[] = [];
  let first = files;
  for (let steps = 0; steps < LONGEST_CHAIN; steps += 1) {
    const [file] = first;
    const description = await describe(file);
    if (description.kind === 'cluster') throw notOneServer(file);
    if (description.kind === 'full') {
      return { base: file, description, journals: [...first.slice(1), ...journals] };
    }
    journals.unshift(...first);
    first = await filesBefore(file, description, steps === 0 ? basePath : undefined);
  }
  throw new FailedCommand(`${path} rests on itself.`);
}

/** What a file says of itself. @throws FailedCommand, BackupDamage */
export async function describe(file: string): Promise<BackupDescription> {
  const reader = await FrameReader.open(file);
  try {
    const first = await reader.next();
    if (first === undefined) {
      const what = reader.torn === undefined ? 'holds nothing' : 'ends within its first frame';
      throw new FailedCommand(`${file} is no backup: it ${what}.`);
    }
    return decodeDescription(reader.file, first);
  } finally {
    await reader.close();
  }
}

function notOneServer(file: string): FailedCommand {
  return new FailedCommand(`${file} is a cluster's: name its directory.`);
}

/** Walks the journal of a chain, each commit once, and refuses a gap. */
export async function forEachJournalPiece(
  { journals, description }: BackupChain,
  visit: (piece: JournalPiece) => Promise<'go on' | 'stop'>,
): Promise<ChainEnd> {
  const cut: CutFile[] = [];
  let end: ChainEnd = {
    last: description.point,
    coveredTo: description.point.timestamp,
    cut,
    open: undefined,
  };
  for (const file of journals) {
    const reader = await FrameReader.open(file);
    try {
      const first = await reader.next();
      if (first === undefined) continue;
      const journal = decodeDescription(file, first);
      refuseForeign(file, journal, description);
      const { isFollowed } = journal;
      end = { ...end, open: { file, isFollowed } };
      for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
        if (end.open === undefined) {
          throw new BackupDamage(file, frame.offset, 'there is more behind its end');
        }
        if (frame.header.kind === 'end') {
          decodeEnd(file, frame);
          end = { ...end, open: undefined };
          continue;
        }
        if (frame.header.kind !== 'journal') {
          throw new BackupDamage(
            file,
            frame.offset,
            `a frame of ${frame.header.kind} in a journal`,
          );
        }
        const span = decodeJournalFrame(frame.contents);
        refuseGap(file, end.last, span.before);
        const isNew = span.last.commitNumber > end.last.commitNumber;
        if (isNew) refuseFork(file, end.last, span);
        else refuseOtherHistory(file, end.last, span.last);
        if (isNew || compareTimestamps(span.coveredTo, end.coveredTo) > 0) {
          const piece = { ...span, after: end.last, file, offset: frame.offset };
          const verdict = await visit(piece);
          end = {
            ...end,
            last: isNew ? span.last : end.last,
            coveredTo:
              compareTimestamps(span.coveredTo, end.coveredTo) > 0 ? span.coveredTo : end.coveredTo,
          };
          if (verdict === 'stop') return end;
        }
      }
      if (reader.torn !== undefined) cut.push({ file, offset: reader.torn });
    } finally {
      await reader.close();
    }
  }
  return end;
}

export interface JournalPiece {
  readonly entries: Buffer;
  /** Commits up to this one came in an earlier piece. */
  readonly after: CommitPoint;
  readonly before: CommitPoint;
  readonly last: CommitPoint;
  readonly coveredTo: Timestamp;
  readonly file: string;
  readonly offset: number;
}

export function timestampText({ seconds, increment }: Timestamp): string {
  const time = new Date(seconds * 1000).toISOString().replace('.000', '');
  return increment > 0xffff_fff0 ? `the end of ${time}` : `${seconds}.${increment} (${time})`;
}

function refuseForeign(
  file: string,
  journal: BackupDescription,
  base: FullDescription,
): asserts journal is JournalDescription {
  if (journal.kind === 'cluster') throw notOneServer(file);
  if (journal.kind === 'full') throw new FailedCommand(`${file} holds a store, not a journal.`);
  if (journal.storeId === base.storeId) return;
  throw new FailedCommand(
    `${file} is of the journal of another store (${journal.storeId}) than the backup (${base.storeId}).`,
  );
}

function refuseGap(file: string, last: CommitPoint, before: CommitPoint): void {
  if (before.commitNumber < last.commitNumber) return;
  if (before.commitNumber === last.commitNumber) {
    refuseOtherHistory(file, last, before);
    return;
  }
  throw new FailedCommand(
    `there is a gap: what is there ends at ${timestampText(last.timestamp)} (commit ${last.commitNumber}), and ${file} goes on after ${timestampText(before.timestamp)} (commit ${before.commitNumber}). What happened in between is lost; restore up to the first of the two with --to, or take a new backup.`,
  );
}

/** Where two journals overlap, the last commit of the one must be in the other as it was. */
function refuseFork(
  file: string,
  last: CommitPoint,
  { before, entries }: { readonly before: CommitPoint; readonly entries: Buffer },
): void {
  if (before.commitNumber >= last.commitNumber) return;
  for (let at = 0; at < entries.length;) {
    const next = at + journalEntryLength(entries, at, entries.length);
    const { cn, ts } = journalEntryStamp(entries, at);
    at = next;
    if (cn === undefined || cn < last.commitNumber) continue;
    refuseOtherHistory(file, last, { commitNumber: cn, timestamp: ts });
    return;
  }
}

function refuseOtherHistory(file: string, last: CommitPoint, same: CommitPoint): void {
  if (same.commitNumber !== last.commitNumber) return;
  if (compareTimestamps(last.timestamp, same.timestamp) === 0) return;
  throw new FailedCommand(
    `${file} is of another history: commit ${last.commitNumber} was at ${timestampText(same.timestamp)} there, and at ${timestampText(last.timestamp)} before it.`,
  );
}

/** The files that a path stands for: the full backup first, if there is one. */
async function filesOf(path: string): Promise<readonly string[]> {
  if (path === '-') return [path];
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new FailedCommand(`there is no ${path}.`);
  if (!found.isDirectory()) return [path];
  const names = await readdir(path);
  const journals = (await journalFilesIn(path)).map((name) => join(path, name));
  if (names.includes(BASE_NAME)) return [join(path, BASE_NAME), ...journals];
  if (journals.length > 0) return journals;
  throw new FailedCommand(`${path} holds no backup.`);
}

/** What a journal goes on from. @throws FailedCommand when it is not there, or is another one */
async function filesBefore(
  file: string,
  { since }: JournalDescription,
  basePath: string | undefined,
): Promise<readonly string[]> {
  const place = basePath ?? resolve(dirname(file), since.path);
  const hint = `${basename(file)} goes on from backup ${since.backupId}`;
  if (!(await isBackup(place))) {
    throw new FailedCommand(`${hint}, which is not at ${place}. Say where it is with --base.`);
  }
  const files = await filesOf(place);
  for (const each of files) {
    if ((await describe(each)).backupId === since.backupId) return files;
  }
  throw new FailedCommand(
    `${hint}, and what is at ${place} is another one. Say where it is with --base.`,
  );
}

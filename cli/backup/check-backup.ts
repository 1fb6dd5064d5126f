/**
 * Reads all of a backup and checks it: what verify reports, and what restore asks for before it writes anything.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { decodeSectors, forEachStoreEntry } from '../../storage/index.ts';
import { CorruptionError } from '../../common/errors.ts';
import type { Progress, Task } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import {
  BASE_NAME,
  forEachJournalPiece,
  NEXT_BASE_NAME,
  type BackupChain,
  type ChainEnd,
} from './backup-chain.ts';
import { BackupDamage } from './backup-damage.ts';
import { decodeDescription, decodeEnd, type FullDescription } from './description.ts';
import { FrameReader, type Frame } from './frame-reader.ts';
import { lookAtFile } from './full-backup.ts';

export interface BackupCheck extends ChainEnd {
  readonly files: number;
  readonly storedBytes: number;
  readonly entries: number;
  readonly sectors: number;
}

/** What a pass over the frames of a full backup gives out. */
export interface BaseVisitor {
  begin?(description: FullDescription): Promise<void>;
  entries(packed: Buffer): Promise<void>;
  sectors(first: number, sectors: Buffer): Promise<void>;
}

/** @throws BackupDamage for the first thing that is wrong; FailedCommand for a gap, or a backup that is not finished */
export async function checkBackup(chain: BackupChain, progress: Progress): Promise<BackupCheck> {
  const files = [chain.base, ...chain.journals];
  let storedBytes = 0;
  for (const file of files) storedBytes += (await stat(file)).size;
  const task = progress.begin('check', { total: storedBytes, unit: 'bytes' });
  let entries = 0;
  let sectors = 0;
  await readBase(
    chain.base,
    {
      async entries(packed) {
        forEachStoreEntry(packed, () => (entries += 1));
      },
      async sectors(_first, bytes) {
        sectors += bytes.length / chain.description.point.sectorBytes;
      },
    },
    task,
  );
  const end = await forEachJournalPiece(chain, () => Promise.resolve('go on'));
  await checkNext(chain, task);
  task.end(`${files.length} ${files.length === 1 ? 'file' : 'files'} sound`);
  return { ...end, files: files.length, storedBytes, entries, sectors };
}

/** A store that is to take the base's place: whoever reads the backup now does not need it yet. @throws BackupDamage */
async function checkNext({ base }: BackupChain, task: Task): Promise<void> {
  const path = join(dirname(base), NEXT_BASE_NAME);
  if (basename(base) !== BASE_NAME || !(await isFile(path))) return;
  if ((await lookAtFile(path)).state !== 'finished') return;
  await readBase(
    path,
    { entries: () => Promise.resolve(), sectors: () => Promise.resolve() },
    task,
  );
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

/** Gives out what a full backup holds, in order, each frame checked. @param path '-': standard input */
export async function readBase(
  path: string,
  visitor: BaseVisitor,
  task?: Task,
): Promise<FullDescription> {
  const reader = await FrameReader.open(path);
  try {
    const first = await reader.next();
    if (first === undefined)
      throw new FailedCommand(`${reader.file} is no backup: it holds nothing.`);
    const description = decodeDescription(reader.file, first);
    if (description.kind !== 'full') {
      throw new FailedCommand(`${reader.file} holds a journal alone, not a full backup.`);
    }
    await visitor.begin?.(description);
    task?.advance(first.nextOffset);
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      task?.advance(frame.nextOffset - frame.offset);
      if (frame.header.kind === 'end') {
        decodeEnd(reader.file, frame);
        await refuseMore(reader);
        return description;
      }
      await visitFrame(reader.file, frame, description, visitor);
    }
    throw new FailedCommand(
      `${reader.file} is not finished: it ends ${reader.torn === undefined ? 'before its last frame' : `within a frame, at offset ${reader.torn}`}. Run the same flint backup again, and it goes on.`,
    );
  } finally {
    await reader.close();
  }
}

async function visitFrame(
  file: string,
  frame: Frame,
  { point }: FullDescription,
  visitor: BaseVisitor,
): Promise<void> {
  try {
    if (frame.header.kind === 'entries') {
      await visitor.entries(frame.contents);
      return;
    }
    if (frame.header.kind === 'sectors') {
      const { first, sectors } = decodeSectors(frame.contents, point.sectorBytes);
      await visitor.sectors(first, sectors);
      return;
    }
  } catch (error) {
    if (error instanceof CorruptionError) throw new BackupDamage(file, frame.offset, error.detail);
    throw error;
  }
  throw new BackupDamage(
    file,
    frame.offset,
    `a frame of ${frame.header.kind} does not belong here`,
  );
}

async function refuseMore(reader: FrameReader): Promise<void> {
  const more = await reader.next();
  const place = more?.offset ?? reader.torn;
  if (place !== undefined)
    throw new BackupDamage(reader.file, place, 'there is more behind its end');
}

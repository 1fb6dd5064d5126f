/**
 * Asks whether an LMDB file can be read at all, and what it says of itself, without touching it: the reading is done by a process of its
 * own (lmdb-check.job.ts), because damaged pages may make LMDB end the process that reads them.
 *
 * Promises: writes nothing beside the file, not even LMDB's lock: the process sees it through a link in a directory for temporary files.
 */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { CorruptionError } from '../../common/errors.ts';
import { jobUrl } from '../../common/workers/job-url.ts';
import { startProcessJob } from '../../common/workers/process-job.ts';
import type { CheckpointStamp } from '../format/store-identity.ts';
import { lookAtLmdbFile } from './lmdb-file.ts';
import { storeIsMissing } from './store-checks.ts';

/** What the reading process found. */
export interface LmdbCheckOutcome {
  readonly entries: number;
  /** Sentences; empty when all of it was read. */
  readonly damages: readonly string[];
  readonly storeId?: string;
  readonly stamp?: CheckpointStamp;
  /** The store record, hexadecimal. */
  readonly storeRecord?: string;
}

export interface LmdbCheckProgress {
  /** Entries read so far. */
  readonly progress: number;
}

/**
 * Reads the whole file.
 * @throws CorruptionError missing or malformed when LMDB could not even begin, or died
 */
export async function checkLmdbFile(
  path: string,
  onProgress: (entries: number) => void = () => {},
): Promise<LmdbCheckOutcome> {
  const state = lookAtLmdbFile(path);
  if (state === 'missing' || state === 'unfinished') throw storeIsMissing(path);
  return withLinkTo(path, (link) => readInProcess(path, link, onProgress));
}

/** Gives a path through which the file can be read without a trace beside it. */
async function withLinkTo<T>(path: string, use: (link: string) => Promise<T>): Promise<T> {
  const { link, remove } = await linkTo(path);
  try {
    return await use(link);
  } finally {
    await remove();
  }
}

/** The same for a longer time: the caller removes it. */
export async function linkTo(
  path: string,
): Promise<{ readonly link: string; readonly remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'flint-lmdb-'));
  const link = join(directory, 'index.lmdb');
  await symlink(resolve(path), link);
  return { link, remove: () => rm(directory, { recursive: true, force: true }) };
}

/**
 * For a start: refuses a file that LMDB cannot read to its end, before it is opened in the server's own process.
 * @param why it is asked: what gave rise to doubt
 * @throws CorruptionError
 */
export async function refuseUnreadableLmdb(path: string, why: string): Promise<void> {
  const { damages } = await checkLmdbFile(path);
  if (damages.length === 0) return;
  throw new CorruptionError('malformed', 'index store', `${path}: ${why}, and ${damages[0]}`);
}

async function readInProcess(
  path: string,
  link: string,
  onProgress: (entries: number) => void,
): Promise<LmdbCheckOutcome> {
  const child = startProcessJob(jobUrl(import.meta.url, './lmdb-check.job'), [link]);
  const ended = new Promise<string>((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done(signal ?? `exit code ${code}`));
  });
  let outcome: LmdbCheckOutcome | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const said: unknown = JSON.parse(line);
    if (isProgress(said)) onProgress(said.progress);
    else if (isOutcome(said)) outcome = said;
  }
  const how = await ended;
  if (outcome !== undefined) return outcome;
  throw new CorruptionError(
    'malformed',
    'index store',
    `LMDB ended its process (${how}) while it read ${path}`,
  );
}

function isProgress(said: unknown): said is LmdbCheckProgress {
  return typeof said === 'object' && said !== null && 'progress' in said;
}

function isOutcome(said: unknown): said is LmdbCheckOutcome {
  return typeof said === 'object' && said !== null && 'damages' in said;
}

/**
 * Reads all of an LMDB environment in a process of its own, only reading: a damaged one may end the process in native code.
 *
 * Arguments: the environment's file. Standard output: one line of JSON, an LmdbCheckOutcome; on the way, lines with a count of entries.
 */
import { open, type RootDatabaseOptions } from 'lmdb';
import { decodeStoreIdentity, STORE_IDENTITY_KEY } from '../format/store-identity.ts';
import type { LmdbCheckOutcome, LmdbCheckProgress } from './lmdb-check.ts';
import { LMDB_PAGE_BYTES } from './lmdb-file.ts';
import { checkValue, openValue } from './sealed-value.ts';
import { STORE_RECORD_KEY } from '../catalog/catalog-record.ts';

const MOST_DAMAGES = 100;
const PROGRESS_EVERY = 1_000_000;

function check(path: string): LmdbCheckOutcome {
  const options: RootDatabaseOptions & { readonly noReadAhead: boolean } = {
    readOnly: true,
    noSubdir: true,
    pageSize: LMDB_PAGE_BYTES,
    noReadAhead: false,
    maxDbs: 1,
    keyEncoding: 'binary',
    encoding: 'binary',
  };
  const environment = open<Buffer, Buffer>(path, options);
  const damages: string[] = [];
  const note = (damage: string): void => {
    if (damages.length < MOST_DAMAGES) damages.push(damage);
  };
  const sealed = environment.get(STORE_IDENTITY_KEY);
  if (sealed === undefined) return { entries: 0, damages: ['it has no identity record'] };
  const identity = decodeStoreIdentity(openValue(STORE_IDENTITY_KEY, sealed));
  let entries = 0;
  let storeRecord: string | undefined;
  let previous: Buffer | undefined;
  try {
    for (const { key, value } of environment.getRange({})) {
      entries += 1;
      if (entries % PROGRESS_EVERY === 0) say({ progress: entries });
      if (previous !== undefined && Buffer.compare(previous, key) >= 0) {
        note(`key ${key.toString('hex')} is out of order`);
      }
      previous = key;
      try {
        checkValue(key, value);
        if (key.equals(STORE_RECORD_KEY)) storeRecord = openValue(key, value).toString('hex');
      } catch (error) {
        note(messageOf(error));
      }
    }
  } catch (error) {
    note(messageOf(error));
  }
  return {
    entries,
    damages,
    storeId: identity.storeId.toString('hex'),
    stamp: identity.stamp,
    ...(storeRecord === undefined ? {} : { storeRecord }),
  };
}

function say(line: LmdbCheckOutcome | LmdbCheckProgress): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  say(check(process.argv[2] ?? ''));
} catch (error) {
  say({ entries: 0, damages: [messageOf(error)] });
}

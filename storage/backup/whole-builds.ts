/**
 * Index builds in an archived journal: made into one step, so that they can be replayed over an older base.
 *
 * A build beside writes puts what it scans into the base by checkpoints of its own; the journal says only that it began and that it
 * ended. A start replays over a base that has these entries. A restored base is older, so the end of the build becomes the making of
 * the index over what the collection holds then, and its beginning nothing. What takes an index away stays as it is: it may be one that
 * another took the place of, and taking away one that never began changes nothing.
 */
import { documentOf } from '../../bson/index.ts';
import type { CommitNumber } from '../contract.ts';
import {
  journalEntryBytes,
  readJournalEntry,
  writeJournalEntry,
  type JournalOperation,
} from '../format/journal-entry.ts';
import { decodeCatalogCommand, encodeCatalogCommand } from '../transactions/catalog-entries.ts';

/** Of an entry that is not its commit's last, which bears none. */
const ZERO_COMMIT = 0 as CommitNumber;

/** @param entry a journal entry @returns it, or what takes its place. @throws CorruptionError malformed */
export function withWholeBuild(entry: Buffer): Buffer {
  const read = readJournalEntry(entry, 0);
  if (read.op !== 'c') return entry;
  const command = decodeCatalogCommand(read.o);
  switch (command.name) {
    case 'startIndexBuild':
      return rewritten(read, { op: 'n', o: documentOf({ msg: `${command.name} of a backup` }) });
    case 'commitIndexBuild': {
      const { indexes } = command;
      // The namespace is for people: replay knows the collection by its UUID.
      const o = encodeCatalogCommand('', { name: 'createIndexes', indexes });
      return rewritten(read, { op: 'c', ui: read.ui, o });
    }
    default:
      return entry;
  }
}

function rewritten(read: ReturnType<typeof readJournalEntry>, operation: JournalOperation): Buffer {
  const isLast = read.cn !== undefined;
  const bytes = Buffer.alloc(journalEntryBytes(operation, isLast));
  const stamp = {
    timestamp: read.ts,
    term: read.t,
    wallMs: read.wallMs,
    commitNumber: read.cn ?? ZERO_COMMIT,
  };
  writeJournalEntry(bytes, 0, operation, stamp, isLast);
  return bytes;
}

/**
 * backupRead: the next piece of what backupOpen or backupOpenJournal opened.
 *
 * Parts: `entries` of the index store behind the key `after`; `sectors` of the block store, `count` of them from `first` on, which lets the
 * entries go; `journal`, entries behind those read last, for which it waits up to `awaitMillis`.
 */
import { binaryValue, BsonType, int64Value, timestampValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { JournalTail, StoreBackup } from '../../../storage/index.ts';
import type { BackupContents } from '../../backup/backup-registry.ts';
import { backupIdOf } from './backup-id.ts';
import type { CommandBody } from '../../command/command-body.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

/** Of a reply; more is less even for the other clients. */
const PIECE_BYTES = 1024 * 1024;
/** Read without a pause: a millisecond. */
const SLICE_BYTES = 64 * 1024;
const MOST_SECTOR_BYTES = 4 * PIECE_BYTES;
const POLL_MS = 50;
const MOST_AWAIT_MS = 60_000;

type Request =
  | { readonly part: 'entries'; readonly after: Buffer | undefined }
  | { readonly part: 'sectors'; readonly first: number; readonly count: number }
  | { readonly part: 'journal'; readonly awaitMs: number };

export const backupRead = defineCommand({
  name: 'backupRead',
  help: 'Reads the next piece of an open backup: entries of the index store, sectors, or the journal.',
  kind: 'admin',
  access: { action: 'fsync', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  passesBarrier: true,
  parse: (body) => ({ id: backupIdOf(body), request: requestOf(body) }),
  execute: ({ id, request }, op) =>
    op.service.backups.use(id, (contents) => read(contents, request, op)),
  reply: (fields) => fields,
});

function requestOf(body: CommandBody): Request {
  const part = body.string('part');
  switch (part) {
    case 'entries':
      return { part, after: afterOf(body) };
    case 'sectors':
      return {
        part,
        first: body.integer('first', 0, 0),
        count: body.integer('count', 1, 1),
      };
    case 'journal':
      return { part, awaitMs: Math.min(body.integer('awaitMillis', 0, 0), MOST_AWAIT_MS) };
    default:
      throw new CommandError('BadValue', `part is entries, sectors or journal, not '${part}'`);
  }
}

function afterOf(body: CommandBody): Buffer | undefined {
  const after = body.value('after');
  if (after === undefined || after.isNullish) return undefined;
  if (after.type !== BsonType.binData)
    throw body.wrongType('after', after, "expected type 'binData'");
  return after.asBinary().bytes;
}

function read(
  contents: BackupContents,
  request: Request,
  op: OperationContext,
): Promise<ReplyFields> {
  if (contents.kind === 'journal') {
    if (request.part === 'journal') return readJournal(contents.journal, request.awaitMs, op);
  } else if (request.part === 'entries') return readEntries(contents.store, request.after, op);
  else if (request.part === 'sectors') return readSectors(contents.store, request, op);
  throw new CommandError('BadValue', `this backup has no part '${request.part}'`);
}

async function readEntries(
  store: StoreBackup,
  after: Buffer | undefined,
  op: OperationContext,
): Promise<ReplyFields> {
  const slices: Buffer[] = [];
  let bytes = 0;
  let last = after;
  let isLast = false;
  while (!isLast && bytes < PIECE_BYTES) {
    const piece = store.entriesAfter(last, SLICE_BYTES);
    slices.push(piece.bytes);
    bytes += piece.bytes.length;
    last = piece.last ?? last;
    isLast = piece.isLast;
    await op.yield();
  }
  return {
    bytes: binaryValue(Buffer.concat(slices)),
    ...(last === undefined ? {} : { last: binaryValue(last) }),
    isLast,
  };
}

async function readSectors(
  store: StoreBackup,
  { first, count }: { readonly first: number; readonly count: number },
  op: OperationContext,
): Promise<ReplyFields> {
  if (count * store.point.sectorBytes > MOST_SECTOR_BYTES) {
    throw new CommandError('BadValue', `at most ${MOST_SECTOR_BYTES} bytes are read at once`);
  }
  store.releaseEntries();
  const bytes = await op.waitFor(store.readSectors({ first, count }));
  return { bytes: binaryValue(bytes) };
}

async function readJournal(
  journal: JournalTail,
  awaitMs: number,
  op: OperationContext,
): Promise<ReplyFields> {
  const { clock } = op.service;
  const endMs = clock.monotonicMs() + awaitMs;
  for (;;) {
    const { bytes, upTo, isAll } = await journal.read(PIECE_BYTES);
    if (bytes.length === 0 && clock.monotonicMs() < endMs) {
      await op.sleep(POLL_MS);
      continue;
    }
    const { seconds, increment } = upTo.timestamp;
    return {
      bytes: binaryValue(bytes),
      commitNumber: int64Value(BigInt(upTo.commitNumber)),
      timestamp: timestampValue(seconds, increment),
      // Later commits get later times: up to here nothing more will come.
      ...(isAll ? { coveredSeconds: Math.floor(clock.wallMs() / 1000) - 1 } : {}),
    };
  }
}

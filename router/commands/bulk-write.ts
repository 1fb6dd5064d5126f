/**
 * bulkWrite through the router: its operations as inserts, updates and deletes, with one entry each.
 *
 * Inserts that follow each other into one collection go as one batch; updates and deletes go one by one, because the client wants to know
 * what each of them did.
 */
import {
  booleanValue,
  DocumentBuilder,
  fieldsOf,
  getField,
  int32Value,
  stringValue,
} from '../../bson/index.ts';
import {
  BulkWriteReplies,
  checkWritable,
  DocumentListProducer,
  firstBatch,
  parseBulkWrite,
  parseOperation,
  type BulkOperation,
  type ReplyBody,
} from '../../server/cluster.ts';
import { collectionOf, databaseOf } from '../network/read-all.ts';
import { statementOf } from '../writes/statement.ts';
import type { WriteOutcome } from '../writes/write-outcome.ts';
import { runWrites } from '../writes/write-run.ts';
import type { Call } from './routed-command.ts';

type Request = ReturnType<typeof parseBulkWrite>;

/** As MongoDB names the cursor over the entries. */
const CURSOR_NAMESPACE = 'admin.$cmd.bulkWrite';

export async function runBulkWrite(call: Call): Promise<ReplyBody> {
  const { op, body } = call;
  const request = parseBulkWrite(body);
  body.rejectUnknownFields();
  const operations = request.operations.map((bytes) =>
    parseOperation(bytes, request.namespaces, body),
  );
  for (const { namespace } of operations) checkWritable(namespace);
  const run = new BulkWriteRun(call, request, operations);
  await run.run();
  const { replies } = run;
  const cursor = await firstBatch(op, {
    namespace: CURSOR_NAMESPACE,
    producer: new DocumentListProducer(replies.entries),
    batchSize: request.batchSize,
  });
  return (out: DocumentBuilder): void => {
    cursor(out);
    replies.appendTotals(out);
    if (run.writeConcernError !== undefined) {
      out.appendDocument('writeConcernError', run.writeConcernError);
    }
  };
}

class BulkWriteRun {
  readonly replies: BulkWriteReplies;
  writeConcernError: Buffer | undefined;
  private readonly call: Call;
  private readonly request: Request;
  private readonly operations: readonly BulkOperation[];

  constructor(call: Call, request: Request, operations: readonly BulkOperation[]) {
    this.call = call;
    this.request = request;
    this.operations = operations;
    this.replies = new BulkWriteReplies(request.errorsOnly);
  }

  async run(): Promise<void> {
    for (let next = 0; next < this.operations.length;) {
      const tooLarge = this.replies.tooLarge();
      if (tooLarge !== undefined) {
        this.replies.addError(next, tooLarge);
        return;
      }
      const end = this.endOfRun(next);
      await this.runSome(next, end);
      if (this.request.ordered && this.replies.errorCount > 0) return;
      next = end;
    }
  }

  /** Inserts into one collection are one run. */
  private endOfRun(start: number): number {
    const { kind, namespace } = this.operations[start];
    if (kind !== 'insert') return start + 1;
    let end = start + 1;
    while (
      end < this.operations.length &&
      this.operations[end].kind === 'insert' &&
      this.operations[end].namespace === namespace
    ) {
      end += 1;
    }
    return end;
  }

  private async runSome(start: number, end: number): Promise<void> {
    const { router, op } = this.call;
    const { kind, namespace } = this.operations[start];
    op.namespace = namespace;
    const statements = this.operations
      .slice(start, end)
      .map((operation, index) =>
        statementOf(kind, rawStatement(operation, this.request.operations[start + index]), index),
      );
    const outcome = await runWrites(router, op, {
      kind,
      namespace,
      ordered: this.request.ordered,
      command: this.commandFor(kind, namespace),
      statements,
    });
    this.writeConcernError ??= outcome.writeConcernError;
    this.add(start, end, outcome);
  }

  private add(start: number, end: number, outcome: WriteOutcome): void {
    const failed = new Map(outcome.errors.map(({ index, error }) => [index, error]));
    const { kind } = this.operations[start];
    for (let index = 0; index < end - start; index += 1) {
      const error = failed.get(index);
      if (error !== undefined) {
        this.replies.addError(start + index, error, kind === 'update');
        if (this.request.ordered) return;
      } else if (kind === 'insert') this.replies.addInsert(start + index);
      else if (kind === 'delete') this.replies.addDelete(start + index, outcome.count);
      else {
        this.replies.addUpdate(start + index, {
          matchedCount: outcome.count - outcome.upserted.length,
          modifiedCount: outcome.modifiedCount,
          upserted: outcome.upserted,
          errors: [],
        });
      }
    }
  }

  /** The command that says the same of one collection. */
  private commandFor(kind: 'insert' | 'update' | 'delete', namespace: string): Buffer {
    const out = new DocumentBuilder(256);
    out.append(kind, stringValue(collectionOf(namespace)));
    for (const [name, value] of fieldsOf(this.request.body.bytes)) {
      const isForUpdates = name === 'let' && kind !== 'insert';
      const isForInserts = name === 'bypassEmptyTsReplacement' && kind === 'insert';
      const isForWrites = name === 'bypassDocumentValidation' && kind !== 'delete';
      const isShared = name === 'writeConcern' || name === 'comment';
      if (isForUpdates || isForInserts || isForWrites || isShared) out.append(name, value);
    }
    return out.appendString('$db', databaseOf(namespace)).finish();
  }
}

/** Fields of an operation by the names that they have in update and delete. */
const NAMES: Readonly<Record<string, string>> = {
  filter: 'q',
  updateMods: 'u',
  constants: 'c',
};

function rawStatement(operation: BulkOperation, bytes: Buffer): Buffer {
  if (operation.kind === 'insert') return operation.document;
  const out = new DocumentBuilder(bytes.length);
  for (const [name, value] of fieldsOf(bytes)) {
    if (name === 'update' || name === 'delete') continue;
    if (operation.kind === 'delete' && name === 'multi') continue;
    out.append(NAMES[name] ?? name, value);
  }
  if (operation.kind === 'update') {
    if (getField(bytes, 'multi') === undefined) out.append('multi', booleanValue(false));
  } else out.append('limit', int32Value(operation.statement.isMulti ? 0 : 1));
  return out.finish();
}

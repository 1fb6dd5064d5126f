/**
 * bulkWrite: inserts, updates and deletes in several collections with one command, and a cursor over what each did.
 *
 * All operations are read and checked before the first one runs. Inserts that follow each other into one collection run as
 * one insert does, in transactions of many documents.
 * Source: MongoDB's manual, "bulkWrite (database command)".
 */
import { CommandError } from '../../../common/errors.ts';
import { checkWritable } from '../../catalog/namespace.ts';
import type { CommandBody } from '../../command/command-body.ts';
import type { Explainable } from './explain-reply.ts';
import { defineCommand } from '../../command/define-command.ts';
import { nestedBody } from '../../command/nested-body.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import type { CursorReply } from '../../cursors/batch.ts';
import { DocumentListProducer, firstBatch } from '../../cursors/first-batch.ts';
import { type BulkOperation, parseNamespaces, parseOperation } from './bulk-write-operations.ts';
import { BulkWriteReplies } from './bulk-write-replies.ts';
import { planDeleteForExplain, runDeletes } from './delete.ts';
import { insertDocuments } from './insert.ts';
import { planUpdateForExplain, runUpdates } from './update.ts';
import { checkBatchCount, statementError } from './write-batch.ts';

/** The namespace of the cursor over the entries, as MongoDB names it. */
const CURSOR_NAMESPACE = 'admin.$cmd.bulkWrite';

/** So many operations are read, or run, before others get their turn. */
const READ_PER_SLICE = 1_000;
const RUN_PER_SLICE = 64;

export interface BulkWriteRequest {
  readonly body: CommandBody;
  readonly operations: readonly Buffer[];
  readonly namespaces: readonly string[];
  readonly ordered: boolean;
  readonly errorsOnly: boolean;
  readonly keepEmptyTimestamps: boolean;
  readonly bypassValidation: boolean;
  readonly variables: Buffer | undefined;
  readonly batchSize: number;
}

interface BulkWriteResult {
  readonly cursor: CursorReply;
  readonly replies: BulkWriteReplies;
}

export const bulkWrite = defineCommand({
  name: 'bulkWrite',
  help: 'Inserts, updates and deletes documents of several collections.',
  kind: 'write',
  access: { action: 'insert', on: 'anything' },
  route: 'shardsOfDocuments',
  apiVersions: ['1'],
  adminOnly: true,
  counter: 'none',
  parse: parseBulkWrite,
  execute: async (request, op): Promise<BulkWriteResult> => {
    const operations = await readOperations(op, request);
    const replies = await new BulkWriteRun(op, request, operations).run();
    const producer = new DocumentListProducer(replies.entries);
    const { batchSize } = request;
    const cursor = await firstBatch(op, { namespace: CURSOR_NAMESPACE, producer, batchSize });
    return { cursor, replies };
  },
  reply:
    ({ cursor, replies }) =>
    (out) => {
      cursor(out);
      replies.appendTotals(out);
    },
});

export function parseBulkWrite(body: CommandBody): BulkWriteRequest {
  const operations = body.documents('ops');
  const namespaces = parseNamespaces(body);
  checkBatchCount(operations.length);
  return {
    body,
    operations,
    namespaces,
    ordered: body.boolean('ordered', true),
    errorsOnly: body.boolean('errorsOnly', false),
    keepEmptyTimestamps: body.safeBoolean('bypassEmptyTsReplacement', false),
    bypassValidation: body.safeBoolean('bypassDocumentValidation', false),
    variables: body.document('let', undefined),
    batchSize: batchSizeOf(body),
  };
}

/** How the search of the one update or delete of a bulkWrite would run. @throws CommandError InvalidLength, IllegalOperation */
export function planBulkWriteForExplain(
  { body, operations, namespaces, variables }: BulkWriteRequest,
  op: OperationContext,
): Explainable {
  const [only] = operations;
  if (only === undefined || operations.length !== 1) {
    throw new CommandError('InvalidLength', 'explained bulkWrite ops must be of size 1');
  }
  const operation = parseOperation(only, namespaces, body);
  const { kind, namespace } = operation;
  body.namespace = namespace;
  switch (kind) {
    case 'insert':
      throw new CommandError('IllegalOperation', 'Cannot explain insert cmd for bulkWrite');
    case 'update':
      return planUpdateForExplain(
        { namespace, ordered: true, updates: [operation.statement], variables },
        op,
      );
    case 'delete':
      return planDeleteForExplain(
        { namespace, ordered: true, deletes: [operation.statement], variables },
        op,
      );
  }
}

/** Absent: as many as fit into the reply. */
function batchSizeOf(body: CommandBody): number {
  const bytes = body.document('cursor', undefined);
  if (bytes === undefined) return Infinity;
  const options = nestedBody('bulkWrite.cursor', bytes, body);
  const batchSize = options.limit('batchSize') ?? Infinity;
  options.rejectUnknownFields();
  return batchSize;
}

async function readOperations(
  op: OperationContext,
  request: BulkWriteRequest,
): Promise<readonly BulkOperation[]> {
  const operations: BulkOperation[] = [];
  for (const bytes of request.operations) {
    operations.push(parseOperation(bytes, request.namespaces, request.body));
    if (operations.length % READ_PER_SLICE === 0) await op.yield();
  }
  return operations;
}

/** The operations of one bulkWrite, one after the other. */
class BulkWriteRun {
  private readonly op: OperationContext;
  private readonly request: BulkWriteRequest;
  private readonly operations: readonly BulkOperation[];
  private readonly replies: BulkWriteReplies;

  constructor(
    op: OperationContext,
    request: BulkWriteRequest,
    operations: readonly BulkOperation[],
  ) {
    this.op = op;
    this.request = request;
    this.operations = operations;
    this.replies = new BulkWriteReplies(request.errorsOnly);
  }

  async run(): Promise<BulkWriteReplies> {
    let index = 0;
    while (index < this.operations.length) {
      const full = this.replies.tooLarge();
      if (full !== undefined) {
        this.replies.addError(index, full);
        break;
      }
      const next = await this.runFrom(index);
      if (this.request.ordered && this.replies.errorCount > 0) break;
      if (Math.floor(next / RUN_PER_SLICE) > Math.floor(index / RUN_PER_SLICE)) {
        await this.op.yield();
      }
      index = next;
    }
    return this.replies;
  }

  /** Runs the operation, or the inserts that follow each other. @returns the index of the next one. */
  private async runFrom(index: number): Promise<number> {
    const operation = this.operations[index];
    try {
      checkWritable(operation.namespace);
      if (operation.kind === 'insert') return await this.insertFrom(index, operation.namespace);
      if (operation.kind === 'update') await this.update(index, operation);
      else await this.delete(index, operation);
    } catch (error) {
      const known = statementError(this.op, error);
      this.replies.addError(index, known, operation.kind === 'update');
    }
    return index + 1;
  }

  private async insertFrom(first: number, namespace: string): Promise<number> {
    const documents: Buffer[] = [];
    for (let index = first; index < this.operations.length; index += 1) {
      const operation = this.operations[index];
      if (operation.kind !== 'insert' || operation.namespace !== namespace) break;
      documents.push(operation.document);
    }
    const { ordered, keepEmptyTimestamps, bypassValidation } = this.request;
    const { insertedCount, errors } = await insertDocuments(this.op, {
      namespace,
      ordered,
      documents,
      keepEmptyTimestamps,
      bypassValidation,
    });
    const errorAt = new Map(errors.map(({ index, error }) => [index, error]));
    const triedCount = insertedCount + errors.length;
    for (let index = 0; index < triedCount; index += 1) {
      const error = errorAt.get(index);
      if (error === undefined) this.replies.addInsert(first + index);
      else this.replies.addError(first + index, error);
    }
    return first + documents.length;
  }

  private async update(
    index: number,
    { namespace, statement }: Extract<BulkOperation, { kind: 'update' }>,
  ): Promise<void> {
    if (statement.multi && statement.sort !== undefined) {
      throw new CommandError('FailedToParse', 'Cannot specify sort with multi=true');
    }
    const { variables, bypassValidation, keepEmptyTimestamps } = this.request;
    const result = await runUpdates(this.op, {
      namespace,
      ordered: true,
      updates: [statement],
      variables,
      bypassValidation,
      keepEmptyTimestamps,
    });
    for (const { error } of result.errors) throw error;
    this.replies.addUpdate(index, result);
  }

  private async delete(
    index: number,
    { namespace, statement }: Extract<BulkOperation, { kind: 'delete' }>,
  ): Promise<void> {
    const { variables } = this.request;
    const { deletedCount, errors } = await runDeletes(this.op, {
      namespace,
      ordered: true,
      deletes: [statement],
      variables,
    });
    for (const { error } of errors) throw error;
    this.replies.addDelete(index, deletedCount);
  }
}

/**
 * insert, update and delete through the router.
 */
import type { DocumentBuilder } from '../../bson/index.ts';
import {
  checkBatchCount,
  parseDeleteRequest,
  parseUpdateRequest,
  parseWriteOptions,
  type ReplyBody,
} from '../../server/cluster.ts';
import { ARRAY_OF, statementOf, type WriteKind } from '../writes/statement.ts';
import { runWrites } from '../writes/write-run.ts';
import { namespaceOf, type Call } from './routed-command.ts';
import { checkWritable } from '../../server/cluster.ts';

function runWrite(kind: WriteKind, call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const namespace = namespaceOf(call);
  checkWritable(namespace);
  const documents = body.documents(ARRAY_OF[kind]);
  const ordered = body.boolean('ordered', true);
  const batch = {
    kind,
    namespace,
    ordered,
    command: body.bytes,
    statements: documents.map((raw, index) => statementOf(kind, raw, index)),
  };
  return runWrites(router, op, batch).then((outcome) => {
    op.service.metrics.operations[kind] += documents.length;
    return (out: DocumentBuilder): void => outcome.appendTo(out, kind);
  });
}

/** What is wrong with the command itself is told before anything is sent. */
export function runInsert(call: Call): Promise<ReplyBody> {
  const { body } = call;
  checkBatchCount(body.documents('documents').length);
  body.safeBoolean('bypassEmptyTsReplacement', false);
  parseWriteOptions(body);
  body.rejectUnknownFields();
  return runWrite('insert', call);
}

export function runUpdate(call: Call): Promise<ReplyBody> {
  parseUpdateRequest(call.body);
  call.body.rejectUnknownFields();
  return runWrite('update', call);
}

export function runDelete(call: Call): Promise<ReplyBody> {
  parseDeleteRequest(call.body);
  call.body.rejectUnknownFields();
  return runWrite('delete', call);
}

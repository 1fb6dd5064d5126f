/** currentOp: the running operations, filtered by the fields of the command itself. */
import { DocumentBuilder } from '../../../bson/index.ts';
import { compileFilter, simpleContext } from '../../../query/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import { replyDocument } from '../../command/reply.ts';
import { describeOperation } from '../../operation/describe-operation.ts';

interface Request {
  readonly ownOperations: boolean;
  /** Fields of the command that are no options of its own: a filter on the operations. */
  readonly filter: Buffer;
}

/** Options that choose among kinds of entries; here all entries are operations of clients. */
const OPTIONS = new Set(['$all', '$ownOps', '$truncateOps']);

export const currentOp = defineCommand({
  name: 'currentOp',
  help: 'Lists the running operations.',
  kind: 'admin',
  access: { action: 'inprog', on: 'cluster' },
  route: 'allShards',
  adminOnly: true,
  parse(body): Request {
    const filter = new DocumentBuilder();
    let ownOperations = false;
    for (const { name, value } of body.fields()) {
      if (name === '$ownOps') ownOperations = value.isTruthy();
      else if (!OPTIONS.has(name)) filter.append(name, value);
    }
    return { ownOperations, filter: filter.finish() };
  },
  execute({ ownOperations, filter }, op) {
    const { service } = op;
    const matcher = compileFilter(filter, simpleContext(service.clock, service.random));
    const found: Buffer[] = [];
    for (const operation of service.operations.all()) {
      if (ownOperations && operation.connectionId !== op.connectionId) continue;
      const document = replyDocument(describeOperation(operation, service));
      if (matcher.matches(document)) found.push(document);
    }
    return found;
  },
  reply: (inprog) => ({ inprog }),
});

/** killOp: ends a running operation. */
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import { killed } from '../../operation/interruptions.ts';

export const killOp = defineCommand({
  name: 'killOp',
  help: 'Ends a running operation by its opid.',
  kind: 'admin',
  access: { action: 'killop', on: 'cluster' },
  route: 'router',
  adminOnly: true,
  parse(body): number {
    const op = body.value('op');
    if (op === undefined) throw new CommandError('NoSuchKey', 'Did not provide "op" field');
    if (!op.isNumber) {
      throw new CommandError(
        'TypeMismatch',
        `Expected field "op" to be of numeric type, but got ${op.typeName}`,
      );
    }
    return Math.trunc(op.asNumber());
  },
  execute(operationId, op) {
    op.service.operations.get(operationId)?.interrupt(killed());
  },
  // The same answer whether there was such an operation or not, as in MongoDB: it may just have ended.
  reply: () => ({ info: 'attempting to kill op' }),
});

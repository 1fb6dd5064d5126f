/**
 * logRotate: the log goes on in a new file.
 * Source: MongoDB's manual, "logRotate".
 */
import { BsonType, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';

export const logRotate = defineCommand({
  name: 'logRotate',
  help: 'Closes the log file and goes on in a new one.',
  kind: 'admin',
  access: { action: 'logRotate', on: 'cluster' },
  route: 'router',
  adminOnly: true,
  // `comment` is a generic argument: it says why, for who reads the log.
  parse: (body) => checkTarget(body.target),
  execute: (_request, op) => op.service.rotateLog(),
  reply: () => ({}),
});

/** 1 for all logs, or "server"; there is no audit log. */
function checkTarget(target: RawValue): void {
  if (target.isNumber || target.type === BsonType.bool) return;
  const name = target.type === BsonType.string ? target.asString() : undefined;
  if (name === 'server') return;
  throw new CommandError('NoSuchKey', `Unknown log type '${name ?? target.typeName}'`);
}

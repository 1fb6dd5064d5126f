/** killAllSessionsByPattern: ends the sessions that fit one of the patterns, or all. */
import { CommandError } from '../../../common/errors.ts';
import { fieldsOf, getField } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import { uuid } from '../../command/generic-arguments.ts';
import { sessionKeyOf, type SessionRegistry } from '../../sessions/session-registry.ts';
import { documentsOf } from './session-ids.ts';

export const killAllSessionsByPattern = defineCommand({
  name: 'killAllSessionsByPattern',
  help: 'Ends the logical sessions that fit one of the patterns.',
  kind: 'admin',
  access: { action: 'killAnySession', on: 'cluster' },
  route: 'allShards',
  parse: (body) => documentsOf(body.target, 'killAllSessionsByPattern'),
  execute(patterns, op) {
    const { sessions } = op.service;
    if (patterns.length === 0) sessions.endAll();
    for (const pattern of patterns) endMatching(pattern, sessions);
  },
  reply: () => ({}),
});

/** A pattern names a session, or users and roles, to whom no session belongs while there is no access control. */
function endMatching(pattern: Buffer, sessions: SessionRegistry): void {
  const names = [...fieldsOf(pattern)].map(([name]) => name);
  const unknown = names.find((name) => !['lsid', 'uid', 'users', 'roles'].includes(name));
  if (unknown !== undefined) {
    throw new CommandError(
      'IDLUnknownField',
      `BSON field 'killAllSessionsByPattern.killAllSessionsByPattern.${unknown}' is an unknown field.`,
    );
  }
  if (names.length === 0) sessions.endAll();
  const lsid = getField(pattern, 'lsid');
  const id = lsid?.typeName === 'object' ? getField(lsid.asDocument(), 'id') : undefined;
  if (id !== undefined) sessions.end(sessionKeyOf(uuid(id, 'killAllSessionsByPattern.lsid.id')));
}

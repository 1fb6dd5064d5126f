/** setParameter: changes server parameters while the server runs. */
import { uassert } from '../../../common/assert.ts';
import type { RawValue } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';

export const setParameter = defineCommand({
  name: 'setParameter',
  help: 'Changes server parameters.',
  kind: 'admin',
  access: { action: 'setParameter', on: 'cluster' },
  route: 'router',
  adminOnly: true,
  parse: (body) => body.fields(),
  execute(changes, op): ReplyFields {
    uassert(
      changes.length > 0,
      'InvalidOptions',
      'no option found to set, use help:true to see options ',
    );
    const { parameters } = op.service;
    const first = changes[0];
    const was = first === undefined ? undefined : parameters.lookUp(first.name);
    // A name that is wrong refuses all of them, as in MongoDB; of values the first wrong one ends it.
    for (const { name } of changes) parameters.check(name, 'runtime');
    for (const { name, value } of changes) parameters.set(name, plain(value), 'runtime');
    return { was };
  },
  reply: (was) => was,
});

function plain(value: RawValue): unknown {
  if (value.isNumber) return value.asNumber();
  if (value.typeName === 'bool') return value.asBoolean();
  if (value.typeName === 'string') return value.asString();
  return undefined;
}

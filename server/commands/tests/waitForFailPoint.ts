/**
 * waitForFailPoint: waits until a fail point has been entered so often since it was set.
 * Source: MongoDB's jstests, which pause the server at one place and act at another.
 */
import { BsonType } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import { isFailPoint } from '../diagnostics/fail-point-names.ts';

const POLL_MS = 5;

export const waitForFailPoint = defineCommand({
  name: 'waitForFailPoint',
  help: 'Waits until a fail point has been entered. For tests only.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  adminOnly: true,
  testOnly: true,
  parse: (body, op) => {
    if (body.target.type !== BsonType.string) {
      throw body.wrongType('waitForFailPoint', body.target, "expected type 'string'");
    }
    // Without a limit a mistyped test would wait for ever.
    uassert(
      op.remainingTimeMs !== undefined,
      'InvalidOptions',
      'maxTimeMS must be specified for waitForFailPoint',
    );
    const name = body.target.asString();
    if (!isFailPoint(name)) throw new CommandError('FailPointSetFailed', `${name} not found`);
    const timesEntered = body.integer('timesEntered', undefined, 0);
    if (timesEntered === undefined) throw body.missing('timesEntered');
    return { name, timesEntered };
  },
  async execute({ name, timesEntered }, op) {
    while (op.service.failPoints.timesEntered(name) < timesEntered) await op.sleep(POLL_MS);
  },
  reply: () => ({}),
});

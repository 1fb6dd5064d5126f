/**
 * Operations on a session entity.
 */
import type { ClientSession } from 'mongodb';
import type { Operation } from '../runner/format.ts';
import { tableOf } from './definition.ts';

export const SESSION_OPERATIONS = tableOf<ClientSession>([
  {
    name: 'abortTransaction',
    requires: [],
    run: (session, options) => session.abortTransaction(options),
  },
  {
    name: 'commitTransaction',
    requires: [],
    run: (session, options) => session.commitTransaction(options),
  },
  {
    name: 'endSession',
    requires: [],
    run: (session) => session.endSession(),
  },
  {
    name: 'startTransaction',
    requires: [],
    run: (session, options) => {
      session.startTransaction(options);
    },
  },
  {
    name: 'withTransaction',
    requires: ['callback'],
    run: async (session, { callback, ...options }, context) => {
      const operations: readonly Operation[] = callback;
      await session.withTransaction(async () => {
        for (const operation of operations) await context.run(operation);
      }, options);
    },
  },
]);

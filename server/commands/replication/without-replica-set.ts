/**
 * The commands of replica sets, as a server that is no member of one answers them.
 * Source: MongoDB's manual, "Replication Commands"; the answers of a standalone mongod 8.0.
 */
import type { Command } from '../../command/define-command.ts';
import { defineRefusal, type Refusal } from '../../command/define-refusal.ts';

/** What most of them say. */
const NO_SET = { code: 'NoReplicationEnabled', message: 'not running with --replSet' } as const;
/** Defaults of read and write concern are kept by a replica set. */
const DEFAULTS_NEED_A_SET = 51_300;

function onMembers(
  name: string,
  action: string,
  help: string,
  answer: Pick<Refusal, 'code' | 'message'> = NO_SET,
): Command {
  const access = { action, on: 'cluster' } as const;
  return defineRefusal({ name, help, access, route: 'never', adminOnly: true, ...answer });
}

export const replSetGetStatus = onMembers(
  'replSetGetStatus',
  'replSetGetStatus',
  'Shows the state of the replica set.',
);
export const replSetGetConfig = onMembers(
  'replSetGetConfig',
  'replSetGetConfig',
  'Shows the configuration of the replica set.',
);
export const replSetGetRBID = onMembers(
  'replSetGetRBID',
  'internal',
  'Shows how often this member has rolled back.',
);
export const replSetReconfig = onMembers(
  'replSetReconfig',
  'replSetConfigure',
  'Changes the configuration of the replica set.',
);
export const replSetFreeze = onMembers(
  'replSetFreeze',
  'replSetStateChange',
  'Keeps this member from becoming primary for a while.',
);
export const replSetMaintenance = onMembers(
  'replSetMaintenance',
  'replSetStateChange',
  'Takes this member out of service, or back.',
);
export const replSetStepDown = onMembers(
  'replSetStepDown',
  'replSetStateChange',
  'Makes the primary a secondary.',
);
export const replSetStepUp = onMembers(
  'replSetStepUp',
  'replSetStateChange',
  'Makes this member stand for election.',
);
export const replSetSyncFrom = onMembers(
  'replSetSyncFrom',
  'replSetStateChange',
  'Chooses the member to pull from.',
);
export const replSetAbortPrimaryCatchUp = onMembers(
  'replSetAbortPrimaryCatchUp',
  'replSetStateChange',
  'Makes a new primary accept writes before it has caught up.',
);
export const replSetHeartbeat = onMembers(
  'replSetHeartbeat',
  'internal',
  'Asks another member whether it is well.',
);
export const replSetRequestVotes = onMembers(
  'replSetRequestVotes',
  'internal',
  'Asks another member for its vote.',
);
export const replSetUpdatePosition = onMembers(
  'replSetUpdatePosition',
  'internal',
  'Tells how far members have come.',
);
export const replSetInitiate = onMembers(
  'replSetInitiate',
  'replSetConfigure',
  'Makes a replica set of servers that were started as members of one.',
  {
    code: 'NoReplicationEnabled',
    message: 'This node was not started with replication enabled.',
  },
);
export const replSetResizeOplog = onMembers(
  'replSetResizeOplog',
  'replSetResizeOplog',
  'Changes the size of the oplog.',
  { code: 'NamespaceNotFound', message: 'oplog does not exist' },
);
export const appendOplogNote = onMembers(
  'appendOplogNote',
  'appendOplogNote',
  'Writes a note into the oplog.',
  {
    code: 'NoReplicationEnabled',
    message: 'Must have replication set up to run "appendOplogNote"',
  },
);
export const getDefaultRWConcern = onMembers(
  'getDefaultRWConcern',
  'getDefaultRWConcern',
  'Shows the default read and write concern of a replica set.',
  {
    code: DEFAULTS_NEED_A_SET,
    message: "'getDefaultRWConcern' is not supported on standalone nodes.",
  },
);
export const setDefaultRWConcern = onMembers(
  'setDefaultRWConcern',
  'setDefaultRWConcern',
  'Changes the default read and write concern of a replica set.',
  {
    code: DEFAULTS_NEED_A_SET,
    message: "'setDefaultRWConcern' is not supported on standalone nodes.",
  },
);
export const setUserWriteBlockMode = onMembers(
  'setUserWriteBlockMode',
  'setUserWriteBlockMode',
  'Blocks the writes of users, for a cluster that is being replaced.',
  { code: 'IllegalOperation', message: 'setUserWriteBlockMode cannot be run on standalones' },
);
export const setQuerySettings = onMembers(
  'setQuerySettings',
  'querySettings',
  'Gives the planner hints for a shape of query, kept by the replica set.',
  {
    code: 'IllegalOperation',
    message: 'setQuerySettings can only run on replica sets or sharded clusters',
  },
);
export const removeQuerySettings = onMembers(
  'removeQuerySettings',
  'querySettings',
  'Takes back what setQuerySettings has set.',
  {
    code: 'IllegalOperation',
    message: 'removeQuerySettings can only run on replica sets or sharded clusters',
  },
);

/** They end a transaction, and say so when they carry the number of none. */
const TRANSACTION_END = {
  access: { action: 'none', on: 'anything' },
  route: 'cursor',
  adminOnly: true,
  apiVersions: ['1'],
  takesWriteConcern: true,
  code: 'CommandFailed',
} as const;

export const commitTransaction = defineRefusal({
  ...TRANSACTION_END,
  name: 'commitTransaction',
  help: 'Makes the writes of a transaction visible.',
  message: 'commitTransaction must be run within a transaction',
});

export const abortTransaction = defineRefusal({
  ...TRANSACTION_END,
  name: 'abortTransaction',
  help: 'Undoes the writes of a transaction.',
  message: 'abortTransaction must be run within a transaction',
});

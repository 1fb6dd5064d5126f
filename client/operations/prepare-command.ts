/**
 * Everything that a command gets besides its own fields: database, session, transaction, concerns, read preference,
 * cluster time, server API and time limit.
 * Source: driver specifications "Driver Sessions", "Transactions", "Causal Consistency", "Server Selection".
 */
import { Long, type Document } from 'bson';
import type { ReadConcern } from '../concerns/read-concern.ts';
import { ReadPreference } from '../concerns/read-preference.ts';
import type { WriteConcern } from '../concerns/write-concern.ts';
import { MongoOperationTimeoutError } from '../errors/driver-errors.ts';
import { laterClusterTime, type ClientSession } from '../sessions/client-session.ts';
import { ServerType, TopologyType, type Deployment, type Server } from '../transport/contract.ts';
import type { ClientContext } from './client-context.ts';
import type { Deadline } from './deadline.ts';

export interface Preparation {
  readonly client: ClientContext;
  readonly database: string;
  readonly server: Server;
  readonly deployment: Deployment;
  /** undefined: the command goes without one. */
  readonly session: ClientSession | undefined;
  readonly isRead: boolean;
  /** The command may be sent again: it carries a transaction number. */
  readonly hasTransactionNumber: boolean;
  readonly readConcern: ReadConcern | undefined;
  readonly writeConcern: WriteConcern | undefined;
  readonly readPreference: ReadPreference;
  readonly deadline: Deadline;
  /** Whether timeoutMS is told to the server. */
  readonly limitsServerTime: boolean;
}

/** MongoDB 8.2. */
const WIRE_VERSION_OF_RAW_DATA = 27;

/** @param command own fields, the name first; not changed. @throws MongoOperationTimeoutError */
export function prepareCommand(command: Document, preparation: Preparation): Document {
  const prepared: Document = { ...command };
  const { session, writeConcern, client } = preparation;
  const inTransaction = session?.inTransaction() === true;
  if (writeConcern !== undefined && !inTransaction) {
    const fields = writeConcern.toCommand();
    if (Object.keys(fields).length > 0) prepared['writeConcern'] = fields;
  }
  // Older servers know no raw time series buckets, and need not be told of them.
  if (preparation.server.traits.maxWireVersion < WIRE_VERSION_OF_RAW_DATA)
    delete prepared['rawData'];
  limitServerTime(prepared, preparation);
  prepared['$db'] = preparation.database;
  if (session === undefined) {
    setReadConcern(prepared, preparation.readConcern?.toJSON());
  } else {
    addSession(prepared, session, preparation);
  }
  addReadPreference(prepared, preparation);
  const clusterTime = laterClusterTime(client.clusterTime, session?.clusterTime);
  if (clusterTime !== undefined) prepared['$clusterTime'] = clusterTime;
  const { serverApi } = client.settings;
  if (serverApi !== undefined) {
    prepared['apiVersion'] = serverApi.version;
    if (serverApi.strict !== undefined) prepared['apiStrict'] = serverApi.strict;
    if (serverApi.deprecationErrors !== undefined) {
      prepared['apiDeprecationErrors'] = serverApi.deprecationErrors;
    }
  }
  return prepared;
}

/** The server gives up when the answer could not be here in time. */
function limitServerTime(
  prepared: Document,
  { deadline, server, limitsServerTime }: Preparation,
): void {
  const leftMs = deadline.leftMs;
  if (leftMs === undefined || !limitsServerTime) return;
  deadline.throwIfOver();
  delete prepared['maxTimeMS'];
  if (leftMs === Infinity) return;
  const forServerMs = Math.floor(leftMs - server.shortestRoundTripMs);
  if (forServerMs <= 0) {
    throw new MongoOperationTimeoutError(
      `Server roundtrip time is greater than the time remaining: ${server.shortestRoundTripMs}ms of ${leftMs}ms`,
    );
  }
  prepared['maxTimeMS'] = forServerMs;
}

function setReadConcern(prepared: Document, readConcern: Document | undefined): void {
  if (readConcern !== undefined && Object.keys(readConcern).length > 0) {
    prepared['readConcern'] = readConcern;
  }
}

/** Commands that a server runs with a read concern outside transactions. */
const TAKES_READ_CONCERN: ReadonlySet<string> = new Set(['aggregate', 'count', 'distinct', 'find']);

function addSession(prepared: Document, session: ClientSession, preparation: Preparation): void {
  const { serverSession } = session;
  serverSession.lastUse = preparation.client.clock.monotonicMs();
  prepared['lsid'] = serverSession.id;
  const name = Object.keys(prepared)[0] ?? '';
  if (session.inTransaction() || isEndOfTransaction(name)) {
    addTransaction(prepared, session, preparation);
    return;
  }
  if (preparation.hasTransactionNumber)
    prepared['txnNumber'] = Long.fromNumber(serverSession.txnNumber);
  const readConcern = preparation.readConcern?.toJSON();
  if (session.snapshotEnabled) {
    prepared['readConcern'] = {
      ...readConcern,
      level: 'snapshot',
      ...(session.snapshotTime === undefined ? {} : { atClusterTime: session.snapshotTime }),
    };
  } else {
    const after =
      session.supports.causalConsistency &&
      session.operationTime !== undefined &&
      TAKES_READ_CONCERN.has(name)
        ? { afterClusterTime: session.operationTime }
        : undefined;
    setReadConcern(prepared, after === undefined ? readConcern : { ...readConcern, ...after });
  }
}

export function isEndOfTransaction(commandName: string): boolean {
  return commandName === 'commitTransaction' || commandName === 'abortTransaction';
}

function addTransaction(
  prepared: Document,
  session: ClientSession,
  preparation: Preparation,
): void {
  const { transaction } = session;
  prepared['txnNumber'] = Long.fromNumber(session.serverSession.txnNumber);
  prepared['autocommit'] = false;
  // Only the first command says with which concern the whole transaction reads.
  delete prepared['readConcern'];
  if (!transaction.isStarting) return;
  prepared['startTransaction'] = true;
  const readConcern = transaction.options.readConcern ?? preparation.client.settings.readConcern;
  setReadConcern(prepared, {
    ...readConcern?.toJSON(),
    ...(session.supports.causalConsistency && session.operationTime !== undefined
      ? { afterClusterTime: session.operationTime }
      : {}),
  });
}

function addReadPreference(
  prepared: Document,
  { server, deployment, readPreference }: Preparation,
): void {
  const { type } = server.traits;
  if (type === ServerType.Standalone) return;
  const isDirect = deployment.type === TopologyType.Single && type !== ServerType.Mongos;
  // Who connects to one member wants that member, whatever its role.
  const told =
    isDirect && readPreference.mode === 'primary'
      ? ReadPreference.primaryPreferred
      : readPreference;
  if (told.mode !== 'primary') prepared['$readPreference'] = told.toJSON();
}

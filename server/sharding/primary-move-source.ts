/**
 * The giving side of movePrimary: copies a database's unsharded collections and its views to another shard, and has the config server
 * make that one the primary shard.
 *
 * Owns: the moves of this shard that are under way, one for each database, and their durable traces, documents of
 * config.movePrimaryCoordinators. Writes to what moves are refused with MovePrimaryInProgress from the beginning, as in MongoDB; reads
 * go on, but for the moment in which the config server is asked. Invariants:
 *  1. The trace is there before anything is sent, and goes when both shards know how it ended: a restart finishes what was begun.
 *  2. Only the config server's compare-and-set moves a database. When its answer is not known it is asked to say, and then refuses any
 *     commit of this move that may still be on its way.
 *  3. Nothing is dropped here while an operation goes on that was let in before.
 */
import {
  ArrayBuilder,
  arrayValue,
  documentOf,
  getField,
  setField,
  stringValue,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import type { CollectionDescription } from '../../storage/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { RoleHost } from '../role.ts';
import { indexDefinitions } from './collection-copy.ts';
import type { DatabaseHold } from './database-state.ts';
import { DatabaseVersion } from './database-version.ts';
import { dropAll, RECIPIENTS, uuidsOf } from './primary-move-target.ts';
import { uuidValue } from './routing.ts';
import type { ShardingState } from './sharding-state.ts';
import { changeFacts, newFactId, readFacts, recordById } from './stored-facts.ts';

const COORDINATORS = 'config.movePrimaryCoordinators';

export interface PrimaryMoveRequest {
  readonly database: string;
  readonly toShard: string;
  readonly toHost: string;
  /** As the config server has it: the move is of this version and no other. */
  readonly version: DatabaseVersion;
}

/** What the trace says. */
interface Coordinator extends PrimaryMoveRequest {
  readonly moveId: RawValue;
}

type Decision = 'committed' | 'aborted';

const BATCH_COUNT = 1000;
const BATCH_BYTES = 4 * 1024 * 1024;
const ASK_TIMEOUT_MS = 30_000;
/** Definitions of many collections, each made durable at once. */
const START_TIMEOUT_MS = 120_000;
/** Writes and changes of definitions that began before have so long to end. */
const DRAIN_MS = 30_000;
const PAUSE_MS = 20;

export class PrimaryMoveSource {
  private readonly host: RoleHost;
  private readonly state: ShardingState;
  private readonly running = new Set<string>();
  /** Of moves that an earlier run of the server has left. */
  private readonly held = new Map<string, DatabaseHold>();

  constructor(host: RoleHost, state: ShardingState) {
    this.host = host;
    this.state = state;
  }

  /** Resolves when the database is the other shard's. @throws what ended it; nothing has moved then */
  async move(op: OperationContext, request: PrimaryMoveRequest): Promise<void> {
    const { database } = request;
    const id = stringValue(database);
    const view = op.renewView();
    // Until the shard that it came from has heard how that ended, its primary shard tells it: it must not go on to a third.
    const left =
      (await recordById(view, COORDINATORS, id)) ?? (await recordById(view, RECIPIENTS, id));
    if (this.running.has(database) || left !== undefined) {
      throw new CommandError(
        'ConflictingOperationInProgress',
        `Another movePrimary of the database ${database} is not finished yet`,
      );
    }
    this.running.add(database);
    try {
      await new PrimaryMove(this.host, this.state, op, request).run();
    } finally {
      this.running.delete(database);
    }
  }

  /**
   * Holds back who comes for databases whose move was interrupted by this server's end: until the config server has said how it ended,
   * a commit may still be on its way. Called before the server listens.
   */
  async holdInterrupted(op: OperationContext): Promise<void> {
    for (const document of await readFacts(op, COORDINATORS)) {
      const { database } = coordinatorFrom(document);
      const hold = this.state.database(database).hold();
      hold.blockReads();
      this.held.set(database, hold);
    }
  }

  /** Finishes what has a trace, as far as the other servers answer. @returns whether something is left */
  async finishAll(op: OperationContext): Promise<boolean> {
    let isLeft = false;
    for (const document of await readFacts(op, COORDINATORS)) {
      const coordinator = coordinatorFrom(document);
      const { database } = coordinator;
      if (this.running.has(database)) continue;
      try {
        await decide(op, this.state, coordinator);
        this.held.get(database)?.release();
        this.held.delete(database);
        await finish(op, this.state, coordinator);
      } catch (error) {
        if (op.reason !== undefined) throw error;
        isLeft = true;
      }
    }
    return isLeft;
  }
}

class PrimaryMove {
  private readonly host: RoleHost;
  private readonly state: ShardingState;
  private readonly op: OperationContext;
  private readonly coordinator: Coordinator;
  /** The config server may have been asked: only it can say how the move ends. */
  private isAsked = false;

  constructor(
    host: RoleHost,
    state: ShardingState,
    op: OperationContext,
    request: PrimaryMoveRequest,
  ) {
    this.host = host;
    this.state = state;
    this.op = op;
    this.coordinator = { ...request, moveId: newFactId(op) };
  }

  async run(): Promise<void> {
    const { op, state, coordinator } = this;
    const { database, version } = coordinator;
    const known = state.database(database);
    await state.refreshDatabase(op, database);
    uassert(
      known.known?.version.equals(version) === true &&
        known.known.primary === state.requiredIdentity.shardName,
      'ConflictingOperationInProgress',
      `The database ${database} is not what it was when its movePrimary began`,
    );
    const hold = known.hold();
    let failure: unknown;
    let outcome: Decision = 'aborted';
    try {
      await changeFacts(op, [traceOf(coordinator)]);
      await this.drain();
      const moved = await this.copy();
      outcome = await this.giveOver(hold, moved);
    } catch (error) {
      failure = error;
    }
    // The end of the server: the next start asks how it ended, and nobody may come before.
    if (failure !== undefined && this.isAsked) throw failure;
    try {
      // From here on it goes to its end whether the asker waits or not.
      await this.host.background('finishMovePrimary', async (background) => {
        if (failure !== undefined) await saveDecision(background, coordinator, 'aborted');
        hold.release();
        await finish(background, state, coordinator).catch((error: unknown) => this.report(error));
      });
    } finally {
      hold.release();
    }
    if (failure !== undefined) throw failure;
    uassert(
      outcome === 'committed',
      'OperationFailed',
      `The copy of ${database} was complete, but the config server did not change its primary shard`,
    );
  }

  /** What began before the hold ends first. */
  private async drain(): Promise<void> {
    const { op, state } = this;
    const { database } = this.coordinator;
    const known = state.database(database);
    const untilMs = op.service.clock.monotonicMs() + DRAIN_MS;
    while (known.isChanging) {
      uassert(
        op.service.clock.monotonicMs() < untilMs,
        'LockTimeout',
        `Changes of definitions of ${database} that began before a movePrimary do not end`,
      );
      await op.sleep(PAUSE_MS);
    }
    for (const namespace of state.namespacesOf(database)) {
      if (state.shardKeyOf(namespace) !== undefined) continue;
      const section = await state.collection(namespace).enterCriticalSection(async (drained) => {
        let isOver = false;
        void drained.then(() => {
          isOver = true;
        });
        await op.waitAtMost(drained, DRAIN_MS);
        uassert(isOver, 'LockTimeout', `Writes to ${namespace} do not end`);
      });
      section.release();
    }
  }

  /** Nobody writes any more. @returns what goes, with definitions as they were sent */
  private async copy(): Promise<readonly CollectionDescription[]> {
    const { op, coordinator } = this;
    const { database } = coordinator;
    const sharded = await this.shardedNamespaces();
    const all = movable(op.renewView().collections(database));
    const definitions = all.map((collection) =>
      definitionOf(collection, sharded.has(collection.namespace)),
    );
    const fromShard = stringValue(this.state.requiredIdentity.shardName);
    await this.ask(
      '_shardsvrStartReceivePrimary',
      { fromShard },
      [{ identifier: 'collections', documents: definitions }],
      START_TIMEOUT_MS,
    );
    const moved = all.filter(({ namespace }) => !sharded.has(namespace));
    for (const collection of moved) {
      if (collection.kind === 'collection') await this.copyDocuments(collection);
    }
    await this.ask('_shardsvrFlushReceivedPrimary', {});
    return moved;
  }

  /** As the config server has them. */
  private async shardedNamespaces(): Promise<ReadonlySet<string>> {
    const { database } = this.coordinator;
    // All names with a dot behind the database's, which the slash is the successor of.
    const range = documentOf({ $gte: `${database}.`, $lt: `${database}/` });
    const found = await this.state.peers.find(
      this.state.requiredIdentity.configHost,
      'config.collections',
      documentOf({ _id: range }),
      { timeoutMs: ASK_TIMEOUT_MS, interruption: this.op },
    );
    return new Set(found.map((document) => getField(document, '_id')?.asString() ?? ''));
  }

  private async copyDocuments(collection: CollectionDescription): Promise<void> {
    const { op } = this;
    const cursor = op.renewView().scanRecords(collection);
    // One batch is read while the one before it is stored over there.
    let sending: Promise<unknown> = Promise.resolve();
    try {
      for (let isEnd = false; !isEnd;) {
        const documents: Buffer[] = [];
        for (let bytes = 0; documents.length < BATCH_COUNT && bytes < BATCH_BYTES;) {
          isEnd = !(await cursor.next());
          if (isEnd) break;
          documents.push(Buffer.from(cursor.document));
          bytes += cursor.document.length;
        }
        cursor.detach();
        await sending;
        if (documents.length > 0) sending = this.send(collection.namespace, documents);
        // Whoever waits for it is told; nobody does when the reading fails before.
        sending.catch(() => {});
        await op.yield();
        cursor.attach(op.renewView());
      }
      await sending;
    } finally {
      cursor.close();
    }
  }

  /** Nobody reads either, until this shard knows who has the database. */
  private async giveOver(
    hold: DatabaseHold,
    moved: readonly CollectionDescription[],
  ): Promise<Decision> {
    const { op, state, coordinator } = this;
    const { database } = coordinator;
    this.checkUnchanged(moved);
    await changeFacts(op, [traceOf(coordinator, moved)]);
    op.throwIfInterrupted();
    hold.blockReads();
    this.isAsked = true;
    for (;;) {
      try {
        return await this.host.background('commitMovePrimary', async (background) => {
          const isSaid = await this.askForCommit();
          if (isSaid) await saveDecision(background, coordinator, 'committed');
          const outcome = await this.untilDecided(background);
          state.forgetDatabase(database);
          return outcome;
        });
      } catch (error) {
        // Who kills the operation in the background ends one attempt: the hold must not stay without anybody who ends it.
        if (this.host.service.isStopping) throw error;
      }
    }
  }

  private askForCommit(): Promise<boolean> {
    const { database, toShard, version } = this.coordinator;
    const { peers, requiredIdentity } = this.state;
    return peers
      .ask(
        requiredIdentity.configHost,
        documentOf({
          _configsvrCommitMovePrimary: database,
          expectedDatabaseVersion: version.toValue(),
          to: toShard,
          $db: 'admin',
        }),
        { timeoutMs: ASK_TIMEOUT_MS, interruption: uninterruptible },
      )
      .then(
        () => true,
        () => false,
      );
  }

  private async untilDecided(op: OperationContext): Promise<Decision> {
    for (;;) {
      try {
        return await decide(op, this.state, this.coordinator);
      } catch (error) {
        if (op.reason !== undefined) throw error;
        await op.sleep(PAUSE_MS);
      }
    }
  }

  /** Nobody could change definitions; that nobody did is looked at before something is dropped because of it. */
  private checkUnchanged(moved: readonly CollectionDescription[]): void {
    const view = this.op.renewView();
    for (const before of moved) {
      const now = view.collection(before.namespace);
      uassert(
        now?.uuid === before.uuid &&
          now.options.equals(before.options) &&
          indexDefinitions(now).equals(indexDefinitions(before)),
        'OperationFailed',
        `The collection ${before.namespace}, its options or its indexes were changed during a movePrimary`,
      );
    }
  }

  private send(namespace: string, documents: readonly Buffer[]): Promise<Buffer> {
    return this.ask('_shardsvrReceivePrimaryDocuments', { ns: stringValue(namespace) }, [
      { identifier: 'documents', documents },
    ]);
  }

  private ask(
    command: string,
    fields: Readonly<Record<string, RawValue>>,
    sequences: readonly { identifier: string; documents: readonly Buffer[] }[] = [],
    timeoutMs = ASK_TIMEOUT_MS,
  ): Promise<Buffer> {
    const { database, moveId, toHost } = this.coordinator;
    return this.state.peers.ask(
      toHost,
      documentOf({ [command]: database, moveId, ...fields, $db: 'admin' }),
      {
        timeoutMs,
        interruption: this.op,
        sequences: sequences.filter(({ documents }) => documents.length > 0),
      },
    );
  }

  private report(error: unknown): void {
    this.host.service.log.write({
      severity: 'W',
      component: 'CONTROL',
      id: 2_600_004,
      message: 'A movePrimary is decided; what is left of it is done later',
      attributes: { database: this.coordinator.database, error: String(error) },
    });
  }
}

/** The profile is each server's own. */
function movable(collections: readonly CollectionDescription[]): CollectionDescription[] {
  return collections.filter(({ namespace }) => !namespace.endsWith('.system.profile'));
}

function definitionOf(collection: CollectionDescription, isSharded: boolean): Buffer {
  return documentOf({
    ns: collection.namespace,
    kind: collection.kind,
    uuid: uuidValue(collection.uuid),
    options: collection.options,
    indexes: arrayValue(indexDefinitions(collection)),
    sharded: isSharded,
  });
}

/** Lets the config server say how it ended, once and for all, unless that is known. */
async function decide(
  op: OperationContext,
  state: ShardingState,
  coordinator: Coordinator,
): Promise<Decision> {
  const stored = await recordById(op.renewView(), COORDINATORS, stringValue(coordinator.database));
  const known = stored && getField(stored.document, 'decision')?.asString();
  if (known !== undefined) return known === 'committed' ? 'committed' : 'aborted';
  const reply = await state.peers.ask(
    state.requiredIdentity.configHost,
    documentOf({
      _configsvrResolveMovePrimary: coordinator.database,
      expectedDatabaseVersion: coordinator.version.toValue(),
      to: coordinator.toShard,
      $db: 'admin',
    }),
    { timeoutMs: ASK_TIMEOUT_MS, interruption: op },
  );
  const isCommitted = getField(reply, 'committed')?.isTruthy() === true;
  const decision = isCommitted ? 'committed' : 'aborted';
  await saveDecision(op, coordinator, decision);
  return decision;
}

async function saveDecision(
  op: OperationContext,
  { database }: Coordinator,
  decision: Decision,
): Promise<void> {
  const id = stringValue(database);
  const stored = await recordById(op.renewView(), COORDINATORS, id);
  if (stored === undefined || getField(stored.document, 'decision') !== undefined) return;
  const value = setField(stored.document, 'decision', stringValue(decision));
  await changeFacts(op, [{ namespace: COORDINATORS, id, value }]);
}

/** What has gone is dropped here, the other shard hears how it ended, and then the trace goes. Repeatable. */
async function finish(
  op: OperationContext,
  state: ShardingState,
  { database, toHost, moveId }: Coordinator,
): Promise<void> {
  const id = stringValue(database);
  const stored = await recordById(op.renewView(), COORDINATORS, id);
  const decision = stored && getField(stored.document, 'decision')?.asString();
  if (stored === undefined || decision === undefined) return;
  const isCommitted = decision === 'committed';
  state.forgetDatabase(database);
  if (isCommitted) {
    while (state.database(database).isUsed) await op.sleep(PAUSE_MS);
    await op.transact((transaction) => dropAll(transaction, database, uuidsOf(stored.document)));
    if (op.lastCommit !== undefined) await op.engine.flushed(op.lastCommit);
  }
  await state.peers.ask(
    toHost,
    documentOf({
      _shardsvrFinishReceivePrimary: database,
      moveId,
      committed: isCommitted,
      $db: 'admin',
    }),
    { timeoutMs: ASK_TIMEOUT_MS, interruption: op },
  );
  await changeFacts(op, [{ namespace: COORDINATORS, id, value: undefined }]);
}

function traceOf(
  { database, moveId, toShard, toHost, version }: Coordinator,
  moved: readonly CollectionDescription[] = [],
) {
  const uuids = new ArrayBuilder();
  for (const { uuid } of moved) uuids.push(uuidValue(uuid));
  const value = documentOf({
    _id: database,
    moveId,
    recipientShardId: toShard,
    recipientHost: toHost,
    databaseVersion: version.toValue(),
    collections: arrayValue(uuids.finish()),
  });
  return { namespace: COORDINATORS, id: stringValue(database), value };
}

function coordinatorFrom(document: Buffer): Coordinator {
  const field = (name: string): RawValue => {
    const value = getField(document, name);
    if (value !== undefined) return value;
    throw new Error(`config.movePrimaryCoordinators: a document without ${name}`);
  };
  return {
    database: field('_id').asString(),
    moveId: field('moveId'),
    toShard: field('recipientShardId').asString(),
    toHost: field('recipientHost').asString(),
    version: DatabaseVersion.parse(field('databaseVersion')),
  };
}

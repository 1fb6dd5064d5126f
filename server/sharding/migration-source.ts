/**
 * The giving side of a chunk migration: copies a range to another shard, lets nobody write for the last step, and has the config
 * server give the range over.
 *
 * Owns: the migration of this shard that is under way (one at a time), and its durable trace, a document of config.migrationCoordinators.
 * Invariants:
 *  1. The trace is there before anything is sent, and goes when both shards know how it ended: a restart finishes what was begun.
 *  2. Only the config server's compare-and-set moves the range. When its answer is not known, it is asked to say, and then refuses
 *     any commit of this migration that may still be on its way.
 *  3. Between the last change that was sent and the commit nobody writes; between the commit and this shard's knowing of it nobody reads.
 * Source: MongoDB's README_migrations.
 */
import {
  documentOf,
  getField,
  inspect,
  setField,
  stringValue,
  arrayValue,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import type { CollectionDescription } from '../../storage/index.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { RoleHost } from '../role.ts';
import { CatchUpPace } from './catch-up-pace.ts';
import type { KeyTextRange } from './chunk-map.ts';
import { indexDefinitions } from './collection-copy.ts';
import type { CriticalSection } from './collection-state.ts';
import { MigrationChanges } from './migration-changes.ts';
import { pauseAtStep } from './migration-steps.ts';
import { droppedTask, pendingTask, readyTask } from './range-deletions.ts';
import { uuidValue, type CollectionRouting } from './routing.ts';
import { ShardKeyPattern } from './shard-key-pattern.ts';
import { indexRange, shardKeyIndex } from './shard-key-walk.ts';
import { placementValue } from './shard-version.ts';
import type { ShardingState } from './sharding-state.ts';
import { changeFacts, newFactId, readFacts, recordById } from './stored-facts.ts';

export const COORDINATORS = 'config.migrationCoordinators';

export interface MigrationRequest {
  readonly namespace: string;
  readonly min: Buffer;
  readonly max: Buffer;
  readonly toShard: string;
  readonly toHost: string;
  /** Somebody waits until what has gone is removed. */
  readonly waitsForDelete: boolean;
}

/** What the trace says. */
interface Coordinator extends MigrationRequest {
  readonly id: RawValue;
  readonly uuid: string;
  readonly fromShard: string;
  readonly pattern: Buffer;
}

/** What a commit needs besides the trace. */
interface CommitParts {
  readonly routing: CollectionRouting;
  readonly collection: CollectionDescription;
  readonly changes: MigrationChanges;
  readonly pattern: ShardKeyPattern;
  readonly range: KeyTextRange;
  readonly section: CriticalSection;
}

const BATCH_COUNT = 1000;
const BATCH_BYTES = 4 * 1024 * 1024;
/** Writers under way may end within so long while new ones wait; then those go first, and it is tried again. */
const DRAIN_MS = 250;
const DRAIN_ATTEMPTS = 20;
const PAUSE_MS = 100;
const ASK_TIMEOUT_MS = 30_000;

/** A migration of the collection is under way, or has an end that not all know. */
export async function hasCoordinators(op: OperationContext, uuid: string): Promise<boolean> {
  const coordinators = await readFacts(op, COORDINATORS);
  return coordinators.some((document) => coordinatorFrom(document).uuid === uuid);
}

export class MigrationSource {
  private readonly host: RoleHost;
  private readonly state: ShardingState;
  private running: string | undefined;

  constructor(host: RoleHost, state: ShardingState) {
    this.host = host;
    this.state = state;
  }

  /**
   * Resolves when the range is the other shard's.
   * @returns the migration's id, which the removal of what stayed here has, too. @throws what ended it; nothing has moved then
   */
  async migrate(op: OperationContext, request: MigrationRequest): Promise<RawValue> {
    if (this.running !== undefined) {
      throw new CommandError(
        'ConflictingOperationInProgress',
        `Unable to start new migration because this shard is currently donating a range of ${this.running}`,
      );
    }
    this.running = request.namespace;
    try {
      return await new Migration(this.host, this.state, op, request).run();
    } finally {
      this.running = undefined;
    }
  }

  /**
   * Holds back who comes for collections whose migration was interrupted by this server's end: until the config server has said how it
   * ended, a commit may still be on its way. Called before the server listens.
   */
  async holdInterrupted(op: OperationContext): Promise<ReadonlyMap<string, CriticalSection>> {
    const held = new Map<string, CriticalSection>();
    for (const document of await readFacts(op, COORDINATORS)) {
      const { namespace } = coordinatorFrom(document);
      if (held.has(namespace)) continue;
      const section = await this.state
        .collection(namespace)
        .enterCriticalSection(() => Promise.resolve());
      section.blockReads();
      held.set(namespace, section);
    }
    return held;
  }

  /** Finishes what has a trace, as far as the other servers answer. */
  async finishAll(op: OperationContext): Promise<Unfinished> {
    const undecided = new Set<string>();
    let isLeft = false;
    for (const document of await readFacts(op, COORDINATORS)) {
      const coordinator = coordinatorFrom(document);
      if (this.running === coordinator.namespace) continue;
      let isDecided = false;
      try {
        await decide(op, this.state, document);
        isDecided = true;
        await finish(op, this.state, coordinator);
      } catch (error) {
        if (op.reason !== undefined) throw error;
        isLeft = true;
        if (!isDecided) undecided.add(coordinator.namespace);
      }
    }
    return { undecided, isLeft };
  }
}

/** What is left of migrations that have ended. */
export interface Unfinished {
  /** Namespaces of which nobody has said yet who has the range. */
  readonly undecided: ReadonlySet<string>;
  readonly isLeft: boolean;
}

class Migration {
  private readonly host: RoleHost;
  private readonly state: ShardingState;
  private readonly op: OperationContext;
  private readonly request: MigrationRequest;
  /** The config server may have been asked: only it can say how the migration ends. */
  private isAsked = false;

  constructor(
    host: RoleHost,
    state: ShardingState,
    op: OperationContext,
    request: MigrationRequest,
  ) {
    this.host = host;
    this.state = state;
    this.op = op;
    this.request = request;
  }

  async run(): Promise<RawValue> {
    const { op, state, request } = this;
    const { namespace } = request;
    const routing = await this.checkedRouting();
    const collection = op.renewView().collection(namespace);
    if (collection === undefined || collection.uuid !== routing.entry.uuid) {
      throw new CommandError('NamespaceNotFound', `${namespace} is not on this shard`);
    }
    // The other shard would not get it: its build knows this shard only.
    uassert(
      collection.indexes.every(({ ready }) => ready),
      'BackgroundOperationInProgressForNamespace',
      `An index of ${namespace} is being built`,
    );
    const coordinator: Coordinator = {
      ...request,
      id: newFactId(op),
      uuid: collection.uuid,
      fromShard: state.requiredIdentity.shardName,
      pattern: routing.entry.pattern.pattern,
    };
    await changeFacts(op, [coordinatorFact(coordinator), pendingTask(taskOf(coordinator))]);
    const { statistics } = state;
    statistics.countDonorMoveChunkStarted += 1;
    const startMs = this.nowMs;
    let outcome: 'committed' | 'aborted' = 'aborted';
    let failure: unknown;
    try {
      outcome = await this.move(coordinator, routing, collection);
    } catch (error) {
      failure = error;
    }
    statistics.totalDonorMoveChunkTimeMillis += this.nowMs - startMs;
    if (outcome === 'committed') statistics.countDonorMoveChunkCommitted += 1;
    else statistics.countDonorMoveChunkAborted += 1;
    if (failure !== undefined && this.isAsked) throw failure;
    // From here on it goes to its end whether the asker waits or not.
    await this.host.background('finishMigration', async (background) => {
      if (failure !== undefined) await saveDecision(background, coordinator, 'aborted');
      await finish(background, state, coordinator).catch((error: unknown) => {
        this.host.service.log.write({
          severity: 'W',
          component: 'CONTROL',
          id: 2_600_001,
          message: 'A migration is decided; what is left of it is done later',
          attributes: { namespace, outcome, error: String(error) },
        });
      });
    });
    if (failure !== undefined) throw failure;
    uassert(
      outcome === 'committed',
      'OperationFailed',
      `Data transfer of ${namespace} was complete, but the config server did not give the range over`,
    );
    return coordinator.id;
  }

  private get nowMs(): number {
    return this.op.service.clock.monotonicMs();
  }

  /** The chunk must be this shard's as the config server has it now. */
  private async checkedRouting(): Promise<CollectionRouting> {
    const { namespace, min, max, toShard } = this.request;
    const { routing } = await this.state.refresh(this.op, namespace);
    if (routing === undefined) {
      throw new CommandError('NamespaceNotSharded', `Namespace ${namespace} is not sharded`);
    }
    const { shardName } = this.state.requiredIdentity;
    const chunk = routing.chunks.chunkOf(routing.entry.pattern.boundText(min));
    const isOurs =
      chunk.shard === shardName && routing.entry.pattern.boundText(max) <= chunk.maxText;
    uassert(
      isOurs && toShard !== shardName,
      'IllegalOperation',
      `The range [${inspect(min)}, ${inspect(max)}) of ${namespace} is no part of a chunk of ${shardName}`,
    );
    return routing;
  }

  private async move(
    coordinator: Coordinator,
    routing: CollectionRouting,
    collection: CollectionDescription,
  ): Promise<'committed' | 'aborted'> {
    const { state } = this;
    const { pattern } = routing.entry;
    const range = {
      min: pattern.boundText(coordinator.min),
      max: pattern.boundText(coordinator.max),
    };
    const changes = new MigrationChanges(collection.uuid);
    await pauseAtStep(this.op, 'moveChunkHangAtStep1');
    await this.ask(coordinator, '_shardsvrStartReceive', {
      ns: coordinator.namespace,
      uuid: uuidValue(coordinator.uuid),
      options: collection.options,
      indexes: arrayValue(indexDefinitions(collection)),
      keyPattern: coordinator.pattern,
      min: coordinator.min,
      max: coordinator.max,
      fromShard: coordinator.fromShard,
    });
    // Writers of before know nothing of the changes that are noted: they end first.
    const quiet = await this.enterCriticalSection();
    state.changes = changes;
    quiet.release();
    try {
      await pauseAtStep(this.op, 'moveChunkHangAtStep2');
      const cloneMs = this.nowMs;
      await this.copy(coordinator, collection, pattern, range);
      state.statistics.totalDonorChunkCloneTimeMillis += this.nowMs - cloneMs;
      await this.catchUp(coordinator, changes, pattern, range);
      await pauseAtStep(this.op, 'moveChunkHangAtStep4');
      return await this.giveOver(coordinator, { routing, collection, changes, pattern, range });
    } finally {
      state.changes = undefined;
    }
  }

  /** What nobody may write during. */
  private async giveOver(
    coordinator: Coordinator,
    parts: Omit<CommitParts, 'section'>,
  ): Promise<'committed' | 'aborted'> {
    const { statistics } = this.state;
    const startMs = this.nowMs;
    try {
      const section = await this.enterCriticalSection();
      return await this.commit(coordinator, { ...parts, section });
    } finally {
      statistics.totalCriticalSectionTimeMillis += this.nowMs - startMs;
    }
  }

  private async copy(
    coordinator: Coordinator,
    collection: CollectionDescription,
    pattern: ShardKeyPattern,
    range: KeyTextRange,
  ): Promise<void> {
    const { op } = this;
    const index = shardKeyIndex(collection, pattern);
    const cursor = op.renewView().scanIndex(index, indexRange(range), 1);
    // One batch is read while the one before it is stored over there.
    let sending: Promise<unknown> = Promise.resolve();
    try {
      for (let isEnd = false; !isEnd;) {
        const documents: Buffer[] = [];
        for (let bytes = 0; documents.length < BATCH_COUNT && bytes < BATCH_BYTES;) {
          isEnd = !cursor.next();
          if (isEnd) break;
          const document = await op.view().record(collection, cursor.recordId);
          if (document === undefined || !isIn(document, pattern, range)) continue;
          documents.push(document);
          bytes += document.length;
        }
        cursor.detach();
        await sending;
        if (documents.length > 0) sending = this.send(coordinator, documents, []);
        // Whoever waits for it is told; nobody does when the reading fails before.
        sending.catch(() => {});
        this.noteCloned(documents);
        await pauseAtStep(op, 'moveChunkHangAtStep3');
        await op.yield();
        cursor.attach(op.renewView());
      }
      await sending;
    } finally {
      cursor.close();
    }
  }

  private noteCloned(documents: readonly Buffer[]): void {
    const { statistics } = this.state;
    statistics.countDocsClonedOnDonor += documents.length;
    for (const { length } of documents) statistics.countBytesClonedOnDonor += length;
  }

  private async catchUp(
    coordinator: Coordinator,
    changes: MigrationChanges,
    pattern: ShardKeyPattern,
    range: KeyTextRange,
  ): Promise<void> {
    const { statistics } = this.state;
    const pace = new CatchUpPace();
    while (!pace.isEnough(changes.count)) {
      uassert(
        !pace.isHopeless,
        'OperationFailed',
        'The migration does not keep up with the writes to the collection',
      );
      const { holdsWriters } = pace;
      const section = holdsWriters ? await this.enterCriticalSection() : undefined;
      const startMs = this.nowMs;
      let count = 0;
      try {
        count = await this.sendChanges(coordinator, changes.take(pace.most), pattern, range);
      } finally {
        section?.release();
      }
      pace.note(count, this.nowMs - startMs);
      statistics.countCatchUpRounds += 1;
      statistics.countDocsCaughtUp += count;
      if (holdsWriters) await this.op.sleep(pace.pauseMs);
    }
  }

  private async sendChanges(
    coordinator: Coordinator,
    ids: readonly RawValue[],
    pattern: ShardKeyPattern,
    range: KeyTextRange,
  ): Promise<number> {
    const { op } = this;
    let documents: Buffer[] = [];
    let deleted: RawValue[] = [];
    let bytes = 0;
    op.renewView();
    for (const id of ids) {
      const stored = await recordById(op.view(), coordinator.namespace, id);
      if (stored !== undefined && isIn(stored.document, pattern, range)) {
        documents.push(stored.document);
        bytes += stored.document.length;
      } else {
        deleted.push(id);
      }
      if (documents.length + deleted.length < BATCH_COUNT && bytes < BATCH_BYTES) continue;
      await this.send(coordinator, documents, deleted);
      [documents, deleted, bytes] = [[], [], 0];
    }
    if (documents.length + deleted.length > 0) await this.send(coordinator, documents, deleted);
    return ids.length;
  }

  /** Writers under way end; new ones wait only a moment at a time. */
  private async enterCriticalSection(): Promise<CriticalSection> {
    const { op, state, request } = this;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await state.collection(request.namespace).enterCriticalSection(async (drained) => {
          let isOver = false;
          void drained.then(() => {
            isOver = true;
          });
          await op.waitAtMost(drained, DRAIN_MS);
          uassert(isOver, 'LockTimeout', 'Writes that began before a migration do not end');
        });
      } catch (error) {
        const mayTryAgain = error instanceof CommandError && error.codeName === 'LockTimeout';
        if (!mayTryAgain || attempt === DRAIN_ATTEMPTS) throw error;
        await op.sleep(PAUSE_MS);
      }
    }
  }

  /** Within the critical section. Ends it when this shard knows who has the range. */
  private async commit(
    coordinator: Coordinator,
    parts: CommitParts,
  ): Promise<'committed' | 'aborted'> {
    const { state } = this;
    const { routing, changes, pattern, range, section } = parts;
    try {
      this.checkDefinition(parts.collection);
      await this.sendChanges(coordinator, changes.take(), pattern, range);
      await pauseAtStep(this.op, 'moveChunkHangAtStep5');
      await this.ask(coordinator, '_shardsvrFlushReceived', {});
      await pauseAtStep(this.op, 'moveChunkHangAtStep6');
      this.op.throwIfInterrupted();
    } catch (error) {
      section.release();
      throw error;
    }
    section.blockReads();
    this.isAsked = true;
    const commitMs = this.nowMs;
    return this.untilEnd(async (op) => {
      const chunk = routing.chunks.chunkOf(range.min);
      const isSaid = await state.peers
        .ask(
          state.requiredIdentity.configHost,
          documentOf({
            _configsvrCommitChunkMigration: coordinator.namespace,
            min: coordinator.min,
            max: coordinator.max,
            fromShard: coordinator.fromShard,
            toShard: coordinator.toShard,
            fromShardCollectionVersion: routing.chunks.version.toValue(),
            chunkVersion: placementValue(chunk),
            $db: 'admin',
          }),
          { timeoutMs: ASK_TIMEOUT_MS, interruption: uninterruptible },
        )
        .then(
          () => true,
          () => false,
        );
      await pauseAtStep(op, 'hangBeforePostMigrationCommitRefresh');
      const outcome = await this.decideAndRefresh(op, coordinator, isSaid);
      section.release();
      state.statistics.totalCriticalSectionCommitTimeMillis += this.nowMs - commitMs;
      // Nobody waits for this: whoever restarts without it asks the config server, and hears the same.
      if (isSaid) await saveDecision(op, coordinator, outcome);
      return outcome;
    });
  }

  /** Who kills the operation in the background ends one attempt: the critical section must not stay without anybody who ends it. */
  private async untilEnd<Result>(work: (op: OperationContext) => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await this.host.background('commitMigration', work);
      } catch (error) {
        if (this.host.service.isStopping) throw error;
      }
    }
  }

  /** An index that was built meanwhile, or an option that was changed, is not on the other shard. */
  private checkDefinition(before: CollectionDescription): void {
    const now = this.op.renewView().collection(this.request.namespace);
    const isSame =
      now?.uuid === before.uuid &&
      now.options.equals(before.options) &&
      indexDefinitions(now).equals(indexDefinitions(before));
    uassert(
      isSame,
      'OperationFailed',
      `The collection ${this.request.namespace}, its options or its indexes were changed during the migration`,
    );
  }

  /** Until it is known: whoever writes meanwhile would write to the wrong shard. Ends with the server, too. */
  private async decideAndRefresh(
    op: OperationContext,
    coordinator: Coordinator,
    isCommitted: boolean,
  ): Promise<'committed' | 'aborted'> {
    const { state } = this;
    for (;;) {
      try {
        const outcome = isCommitted
          ? 'committed'
          : await decide(op, state, coordinatorFact(coordinator).value);
        await state.refresh(op, coordinator.namespace).catch((error: unknown) => {
          // A collection that is being renamed waits for this: who comes next reads what is true then.
          if (!(error instanceof CommandError) || error.codeName !== 'StaleConfig') throw error;
          state.forget(coordinator.namespace);
        });
        return outcome;
      } catch (error) {
        if (op.reason !== undefined) throw error;
        await op.sleep(PAUSE_MS);
      }
    }
  }

  private send(
    coordinator: Coordinator,
    documents: readonly Buffer[],
    deleted: readonly RawValue[],
  ): Promise<Buffer> {
    const ids = deleted.map((id) => documentOf({ _id: id }));
    return this.ask(coordinator, '_shardsvrReceiveDocuments', {}, [
      { identifier: 'documents', documents },
      { identifier: 'deleted', documents: ids },
    ]);
  }

  private ask(
    { id, toHost }: Coordinator,
    command: string,
    fields: Parameters<typeof documentOf>[0],
    sequences: readonly { identifier: string; documents: readonly Buffer[] }[] = [],
  ): Promise<Buffer> {
    return this.state.peers.ask(
      toHost,
      documentOf({ [command]: 1, migrationId: id, ...fields, $db: 'admin' }),
      {
        timeoutMs: ASK_TIMEOUT_MS,
        interruption: this.op,
        sequences: sequences.filter(({ documents }) => documents.length > 0),
      },
    );
  }
}

function isIn(document: Buffer, pattern: ShardKeyPattern, { min, max }: KeyTextRange): boolean {
  const { text } = pattern.keyOf(document);
  return text >= min && text < max;
}

/** Lets the config server say how it ended, once and for all, unless that is known. */
async function decide(
  op: OperationContext,
  state: ShardingState,
  document: Buffer,
): Promise<'committed' | 'aborted'> {
  const known = getField(document, 'decision')?.asString();
  if (known !== undefined) return known === 'committed' ? 'committed' : 'aborted';
  const coordinator = coordinatorFrom(document);
  const reply = await state.peers.ask(
    state.requiredIdentity.configHost,
    documentOf({
      _configsvrResolveChunkMigration: coordinator.namespace,
      min: coordinator.min,
      max: coordinator.max,
      fromShard: coordinator.fromShard,
      $db: 'admin',
    }),
    { timeoutMs: ASK_TIMEOUT_MS, interruption: op },
  );
  const isCommitted = getField(reply, 'committed')?.isTruthy() === true;
  const decision = isCommitted ? 'committed' : 'aborted';
  await saveDecision(op, coordinator, decision);
  return decision;
}

function saveDecision(
  op: OperationContext,
  coordinator: Coordinator,
  decision: 'committed' | 'aborted',
): Promise<void> {
  const { namespace, id, value } = coordinatorFact(coordinator);
  return changeFacts(op, [
    { namespace, id, value: setField(value, 'decision', stringValue(decision)) },
  ]);
}

/** Both shards learn what was decided; then the trace goes. Repeatable. */
async function finish(
  op: OperationContext,
  state: ShardingState,
  coordinator: Coordinator,
): Promise<void> {
  const stored = await recordById(op.renewView(), COORDINATORS, coordinator.id);
  const decision = stored && getField(stored.document, 'decision')?.asString();
  if (decision === undefined) return;
  await pauseAtStep(op, 'hangBeforeFinishingMigration');
  const isCommitted = decision === 'committed';
  await state.peers.ask(
    coordinator.toHost,
    documentOf({
      _shardsvrFinishReceive: 1,
      migrationId: coordinator.id,
      ns: coordinator.namespace,
      committed: isCommitted,
      $db: 'admin',
    }),
    { timeoutMs: ASK_TIMEOUT_MS, interruption: op },
  );
  await pauseAtStep(op, 'hangBeforeForgettingMigrationAfterCommitDecision');
  const task = isCommitted ? await readyTask(op, coordinator.id) : droppedTask(coordinator.id);
  const trace = { namespace: COORDINATORS, id: coordinator.id, value: undefined };
  await changeFacts(op, task === undefined ? [trace] : [task, trace]);
}

function taskOf(coordinator: Coordinator) {
  return {
    ...coordinator,
    migrationId: coordinator.id,
    donor: coordinator.fromShard,
    isDelayed: !coordinator.waitsForDelete,
  };
}

function coordinatorFact(coordinator: Coordinator) {
  const value = documentOf({
    _id: coordinator.id,
    nss: coordinator.namespace,
    collectionUuid: uuidValue(coordinator.uuid),
    donorShardId: coordinator.fromShard,
    recipientShardId: coordinator.toShard,
    recipientHost: coordinator.toHost,
    range: documentOf({ min: coordinator.min, max: coordinator.max }),
    keyPattern: coordinator.pattern,
    waitForDelete: coordinator.waitsForDelete,
  });
  return { namespace: COORDINATORS, id: coordinator.id, value };
}

function coordinatorFrom(document: Buffer): Coordinator {
  const field = (name: string, of = document): RawValue => {
    const value = getField(of, name);
    if (value !== undefined) return value;
    throw new Error(`config.migrationCoordinators: a document without ${name}`);
  };
  const range = field('range').asDocument();
  return {
    id: field('_id'),
    namespace: field('nss').asString(),
    uuid: field('collectionUuid').asBinary().bytes.toString('hex'),
    fromShard: field('donorShardId').asString(),
    toShard: field('recipientShardId').asString(),
    toHost: field('recipientHost').asString(),
    pattern: field('keyPattern').asDocument(),
    min: field('min', range).asDocument(),
    max: field('max', range).asDocument(),
    waitsForDelete: getField(document, 'waitForDelete')?.isTruthy() === true,
  };
}

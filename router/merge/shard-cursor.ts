/**
 * A cursor on one shard, as the router pulls from it.
 *
 * Owns: the documents of the last batch that nobody has taken, and the shard's cursor, which it closes when it is left early.
 */
import { documentOf, int64Value } from '../../bson/index.ts';
import { uninterruptible, type Interruption } from '../../common/interruption.ts';
import { ArrayBuilder, arrayValue } from '../../bson/index.ts';
import { collectionOf, cursorOf, databaseOf, type RemoteBatch } from '../network/read-all.ts';
import type { RemoteServer } from '../network/remote-server.ts';

export class ShardCursor {
  readonly shard: RemoteServer;
  readonly namespace: string;
  private readonly batchSize: number | undefined;
  private id: bigint;
  private documents: readonly Buffer[];
  private position = 0;
  private fetching: Promise<void> | undefined;
  private isClosed = false;

  /** @param batchSize of the next batches; undefined: as many as a reply takes */
  constructor(shard: RemoteServer, first: RemoteBatch, batchSize: number | undefined) {
    this.shard = shard;
    this.namespace = first.namespace;
    this.id = first.id;
    this.documents = first.documents;
    this.batchSize = batchSize;
  }

  /** The next document, which stays where it is; undefined: none is here. */
  get head(): Buffer | undefined {
    return this.documents[this.position];
  }

  /** Takes the next document. */
  shift(): void {
    this.position += 1;
  }

  /** The shard has no more than what is here. */
  get isLast(): boolean {
    return this.id === 0n;
  }

  /** Nothing is here, and nothing will come. */
  get isOver(): boolean {
    return this.head === undefined && this.isLast;
  }

  /**
   * Gets the next batch; callers that come meanwhile wait for the same one.
   * @param awaitMs how long the shard waits at the end of what it has; for cursors that do, and for no others
   */
  fetch(interruption: Interruption, awaitMs?: number): Promise<void> {
    this.fetching ??= this.fetchOnce(interruption, awaitMs).finally(() => {
      this.fetching = undefined;
    });
    return this.fetching;
  }

  /** Closes the shard's cursor; nobody waits for it. */
  close(): void {
    const { id } = this;
    this.isClosed = true;
    this.id = 0n;
    this.documents = [];
    this.position = 0;
    if (id !== 0n) killRemote(this.shard, this.namespace, id);
  }

  private async fetchOnce(interruption: Interruption, awaitMs?: number): Promise<void> {
    const body = documentOf({
      getMore: int64Value(this.id),
      collection: collectionOf(this.namespace),
      batchSize: this.batchSize,
      maxTimeMS: awaitMs === undefined ? undefined : Math.max(1, Math.ceil(awaitMs)),
      $db: databaseOf(this.namespace),
    });
    const next = cursorOf(await this.shard.command(body, interruption));
    if (this.isClosed) {
      // Closed while the shard was busy with it: it may not have heard of that.
      if (next.id !== 0n) killRemote(this.shard, this.namespace, next.id);
      return;
    }
    this.documents = next.documents;
    this.position = 0;
    this.id = next.id;
  }
}

/** Closes a cursor on a shard. What goes wrong is the shard's business: idle cursors end by themselves. */
export function killRemote(shard: RemoteServer, namespace: string, id: bigint): void {
  const ids = new ArrayBuilder();
  ids.push(int64Value(id));
  const body = documentOf({
    killCursors: collectionOf(namespace),
    cursors: arrayValue(ids.finish()),
    $db: databaseOf(namespace),
  });
  shard.command(body, uninterruptible).catch(() => {});
}

/**
 * Splits, merges and moves chunks without end, through a router, and watches the metadata meanwhile.
 */
import { MaxKey, MinKey, type Document, type MongoClient } from 'mongodb';
import type { Random } from '../../common/random.ts';
import { COLLECTION_NAMES, KEYS, ownerOf, type CollectionName } from './documents.ts';
import { sleep } from './kills.ts';
import { checkChunks, readChunks, type ChunkHistory } from './metadata.ts';
import { isExpectedOfMoves, nameOf } from './refusals.ts';
import type { Report } from './report.ts';

const AFTER_FAILURE_MS = 20;
const FEW_CHUNKS = 6;
const MANY_CHUNKS = 24;

export class Mover {
  /** The collection of whose chunks one is being moved through this router. */
  moving: string | undefined;
  readonly router: string;
  private readonly client: MongoClient;
  private readonly random: Random;
  private readonly report: Report;
  private readonly shards: readonly string[];
  private readonly histories: Readonly<Record<CollectionName, ChunkHistory>>;
  private readonly writers: number;

  constructor(parts: {
    /** Connected to this router alone. */
    readonly client: MongoClient;
    readonly router: string;
    readonly random: Random;
    readonly report: Report;
    readonly shards: readonly string[];
    readonly histories: Readonly<Record<CollectionName, ChunkHistory>>;
    readonly writers: number;
  }) {
    this.client = parts.client;
    this.router = parts.router;
    this.random = parts.random;
    this.report = parts.report;
    this.shards = parts.shards;
    this.histories = parts.histories;
    this.writers = parts.writers;
  }

  async workUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) await this.report.timed('a mover', () => this.step());
  }

  private async step(): Promise<void> {
    const name = this.oneOf(COLLECTION_NAMES);
    let command: Document = {};
    try {
      const chunks = await readChunks(this.client, name);
      for (const wrong of checkChunks(chunks, this.histories[name])) {
        this.report.violation(`${name}: ${wrong}`);
      }
      command = this.choose(name, chunks);
      const isMove = 'moveChunk' in command || 'moveRange' in command;
      this.moving = isMove ? `torture.${name}` : undefined;
      await this.client.db('admin').command(command);
      this.report.succeeded(Object.keys(command)[0] ?? '');
    } catch (error) {
      const what = Object.keys(command)[0] ?? 'metadata';
      this.report.failed(what, nameOf(error));
      if (!isExpectedOfMoves(error)) this.report.violation(`${what}: ${String(error)}`);
      await sleep(AFTER_FAILURE_MS);
    } finally {
      this.moving = undefined;
    }
  }

  private choose(name: CollectionName, chunks: readonly Document[]): Document {
    const namespace = `torture.${name}`;
    const dice = this.random.next();
    if (dice < (chunks.length < FEW_CHUNKS ? 0.6 : 0.12) && chunks.length < MANY_CHUNKS) {
      return this.split(namespace, name, chunks);
    }
    if (dice > (chunks.length > MANY_CHUNKS ? 0.6 : 0.9)) {
      const merge = this.merge(namespace, chunks);
      if (merge !== undefined) return merge;
    }
    const chunk = this.oneOf(chunks);
    const to = this.oneOf(this.shards.filter((shard) => shard !== chunk['shard']));
    const { min, max } = chunk;
    const isRange = name === 'ranged' && this.random.next() < 0.3;
    if (!isRange) {
      return {
        moveChunk: namespace,
        bounds: [min, max],
        to,
        waitForDelete: this.random.next() < 0.3,
      };
    }
    return { moveRange: namespace, toShard: to, ...this.partOf(min, max) };
  }

  /** The chunk, or its beginning or end. */
  private partOf(min: Document, max: Document): Document {
    const [low, high] = [numberOf(min['k'], 0), numberOf(max['k'], KEYS)];
    const middle = { k: low + this.random.below(Math.max(1, high - low)) };
    if (middle.k <= low) return { min };
    return this.random.next() < 0.5 ? { min, max: middle } : { min: middle };
  }

  private split(namespace: string, name: CollectionName, chunks: readonly Document[]): Document {
    if (this.random.next() < 0.3) {
      const { min, max } = this.oneOf(chunks);
      return { split: namespace, bounds: [min, max] };
    }
    if (name === 'hashed') return { split: namespace, find: { _id: this.anyId() } };
    const k = this.random.below(KEYS);
    const middle = name === 'ranged' ? { k } : { owner: ownerOf(this.anyId()), k };
    return { split: namespace, middle };
  }

  private merge(namespace: string, chunks: readonly Document[]): Document | undefined {
    const start = this.random.below(chunks.length);
    for (let index = 0; index + 1 < chunks.length; index += 1) {
      const at = (start + index) % (chunks.length - 1);
      const [first, second] = [chunks[at], chunks[at + 1]];
      if (first === undefined || first['shard'] !== second?.['shard']) continue;
      return { mergeChunks: namespace, bounds: [first['min'], second['max']] };
    }
    return undefined;
  }

  private anyId(): number {
    return this.random.below(this.writers + 1) * 1_000_000 + this.random.below(1_000);
  }

  private oneOf<Element>(elements: readonly Element[]): Element {
    const element = elements[this.random.below(elements.length)];
    if (element === undefined) throw new Error('there is nothing to choose from');
    return element;
  }
}

function numberOf(bound: unknown, otherwise: number): number {
  if (bound instanceof MinKey || bound instanceof MaxKey) return otherwise;
  return Number(bound);
}

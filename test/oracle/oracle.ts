/**
 * The oracle: a collection scan knows the answer, every index must give the same.
 *
 * Owns: one seed's collection, its indexes and its queries, and what "the same" means: the same documents, in an order that the
 * sort allows. A failure says the seed, and the case as it can be sent by hand.
 */
import { type Collection, type Db, type Document, MongoServerError } from 'mongodb';
import { SeededRandom } from '../../common/random.ts';
import { document, type Texture } from './documents.ts';
import { anyIndex, type OracleIndex } from './indexes.ts';
import { anyPipeline } from './pipelines.ts';
import { areaFilter, distanceTo, nearFilter, nearSearch } from './places.ts';
import { anyFilter, anyQuery, type OracleQuery } from './queries.ts';
import {
  canonical,
  counted,
  differenceOf,
  groupsOf,
  lengthOf,
  normalText,
  text,
  type Truth,
} from './texts.ts';
import { pick, type Plain, scalar } from './values.ts';
import { holdsWords, wordFilter, wordSearch } from './words.ts';

export interface OracleReport {
  /** Queries whose answer was known. */
  readonly cases: number;
  /** Answers that were compared. */
  readonly answers: number;
  /** Of them of pipelines, searches for distance, and searches for words. */
  readonly pipelines: number;
  readonly near: number;
  readonly words: number;
  /** Indexes that could be built. */
  readonly indexes: number;
}

interface BuiltIndex extends OracleIndex {
  readonly name: string;
}

const TEXTURES: readonly Texture[] = ['flat', 'objects', 'arrays', 'arrays', 'elements'];

/** Makes a collection from the seed and compares answers. @throws Error for a difference. */
export async function runOracle(db: Db, seed: number, queries: number): Promise<OracleReport> {
  const random = new SeededRandom(seed);
  const collection = db.collection(`oracle_${seed}`);
  const run = new OracleRun(collection, random, seed);
  try {
    return await run.execute(queries);
  } finally {
    await collection.drop();
    await db.collection(twinOf(collection)).drop();
  }
}

/** The same documents without indexes. */
function twinOf({ collectionName }: Collection): string {
  return `${collectionName}_plain`;
}

class OracleRun {
  private readonly collection: Collection;
  private readonly random: SeededRandom;
  private readonly seed: number;
  private indexes: readonly BuiltIndex[] = [];
  private answers = 0;
  private pipelines = 0;
  private near = 0;
  private words = 0;

  constructor(collection: Collection, random: SeededRandom, seed: number) {
    this.collection = collection;
    this.random = random;
    this.seed = seed;
  }

  async execute(queries: number): Promise<OracleReport> {
    const { random } = this;
    await this.create();
    const texture = pick(random, TEXTURES);
    const documents = Array.from({ length: 20 + random.below(60) }, (_, id) =>
      document(random, id, texture),
    );
    const half = random.below(documents.length);
    await this.insert(documents.slice(0, half));
    await this.buildIndexes();
    await this.insert(documents.slice(half));
    await this.writeAtRandom(texture);
    await this.collection.aggregate([{ $out: twinOf(this.collection) }]).toArray();
    for (let number = 0; number < queries; number += 1) {
      await this.compare(anyQuery(random), number);
      if (number % 2 === 0) await this.comparePipeline(texture);
      if (number % 4 === 1) await this.compareArea(number);
      if (number % 4 === 2) await this.compareNear();
      if (number % 4 === 3) await this.compareWords();
    }
    await this.compareDelete(anyQuery(random));
    await this.validate();
    const { answers, pipelines, near, words } = this;
    return { cases: queries, answers, pipelines, near, words, indexes: this.indexes.length };
  }

  private async create(): Promise<void> {
    const isClustered = this.random.below(6) === 0;
    await this.db.createCollection(
      this.name,
      isClustered ? { clusteredIndex: { key: { _id: 1 }, unique: true } } : {},
    );
  }

  /** Documents that an index refuses (duplicates, parallel arrays) stay out. */
  private async insert(documents: readonly Plain[]): Promise<void> {
    for (const each of documents) await tolerate(this.collection.insertOne(each as Document));
  }

  private async buildIndexes(): Promise<void> {
    const built: BuiltIndex[] = [];
    for (let made = 2 + this.random.below(6); made > 0; made -= 1) {
      const index = anyIndex(this.random);
      const name = await tolerate(
        this.collection.createIndex(index.key as Document, { ...index.options, name: `i${made}` }),
      );
      if (name !== undefined) built.push({ ...index, name });
    }
    this.indexes = built;
  }

  private async writeAtRandom(texture: Texture): Promise<void> {
    for (let left = this.random.below(20); left > 0; left -= 1) {
      const id = this.random.below(60) as never;
      const fresh = document(this.random, Number(id), texture);
      delete fresh['_id'];
      if (this.random.below(3) === 0) await this.collection.deleteOne({ _id: id });
      else await tolerate(this.collection.replaceOne({ _id: id }, fresh as Document));
    }
  }

  private async compare(query: OracleQuery, number: number): Promise<void> {
    const truth = await this.truthOf(query);
    if (truth === undefined) return;
    // Three times without a hint: a trial, a trial that confirms it, the cached plan.
    for (let time = 0; time < 3; time += 1) await this.compareFind(query, undefined, truth);
    await this.compareIntersected(query, truth);
    for (const index of this.indexes) {
      if (index.hinted === 'none') continue;
      if (index.hinted === 'complete') await this.compareFind(query, index.name, truth);
      else await this.checkSound(query, index.name, truth);
    }
    await this.compareCount(query, truth);
    if (number % 3 === 0) await this.compareDistinct(query);
    if (number % 5 === 0) await this.compareUpdate(query, truth, number);
  }

  /** Groups of documents in the order of the sort; within a group any order is right. undefined: the query is refused. */
  private async truthOf(query: OracleQuery): Promise<Truth | undefined> {
    const whole = { ...query, skip: 0, limit: 0 };
    if (query.sort === undefined) {
      const all = await tolerate(this.find(whole, { $natural: 1 }));
      return all === undefined ? undefined : { groups: [all.map(canonical)] };
    }
    const unprojected = { ...whole, projection: undefined };
    const rising = await tolerate(this.find(withTie(unprojected, 1), { $natural: 1 }));
    if (rising === undefined) return undefined;
    const falling = await this.find(withTie(unprojected, -1), { $natural: 1 });
    const shown = await this.find(withTie(whole, 1), { $natural: 1 });
    return { groups: groupsOf(rising, falling, shown) };
  }

  private find(query: OracleQuery, hint?: string | Document): Promise<Document[]> {
    const { filter, sort, projection, skip, limit, collation, batchSize } = query;
    return this.collection
      .find(filter, {
        skip,
        limit,
        promoteValues: false,
        batchSize,
        ...(sort === undefined ? {} : { sort: sort as never }),
        ...(projection === undefined ? {} : { projection }),
        ...(collation === undefined ? {} : { collation: collation as never }),
        ...(hint === undefined ? {} : { hint }),
      })
      .toArray();
  }

  private async compareFind(
    query: OracleQuery,
    hint: string | undefined,
    truth: Truth,
  ): Promise<void> {
    const found = (await this.attempt(query, hint, () => this.find(query, hint))).map(canonical);
    this.answers += 1;
    const problem = differenceOf(found, truth, query);
    if (problem !== undefined) await this.fail(problem, query, hint);
  }

  /** Two indexes are intersected wherever two serve the filter. */
  private async compareIntersected(query: OracleQuery, truth: Truth): Promise<void> {
    const admin = this.db.admin();
    await admin.command({ setParameter: 1, internalQueryForceIntersectionPlans: true });
    try {
      await this.compareFind(query, undefined, truth);
      await this.compareCountBy(query, undefined, truth);
    } finally {
      await admin.command({ setParameter: 1, internalQueryForceIntersectionPlans: false });
    }
  }

  private async checkSound(query: OracleQuery, hint: string, truth: Truth): Promise<void> {
    const whole = { ...query, skip: 0, limit: 0, sort: undefined };
    const found = await tolerate(this.find(whole, hint));
    this.answers += 1;
    const right = counted(truth.groups.flat());
    for (const each of found ?? []) {
      const left = right.get(canonical(each)) ?? 0;
      if (left === 0) await this.fail(`it does not match: ${canonical(each)}`, whole, hint);
      right.set(canonical(each), left - 1);
    }
  }

  private async compareCount(query: OracleQuery, truth: Truth): Promise<void> {
    const hints = [undefined, ...this.indexes.filter(isComplete).map(({ name }) => name)];
    for (const hint of hints) await this.compareCountBy(query, hint, truth);
  }

  private async compareCountBy(
    query: OracleQuery,
    hint: string | undefined,
    truth: Truth,
  ): Promise<void> {
    const { filter, skip, limit, collation } = query;
    const expected = lengthOf(truth, query);
    const { n } = await this.attempt(query, hint, () =>
      this.command({ count: this.name, query: filter, skip, limit, collation, hint }),
    );
    this.answers += 1;
    if (n !== expected) await this.fail(`count is ${n}, not ${expected}`, query, hint);
  }

  /** The same pipeline over the same documents without indexes knows the answer. */
  private async comparePipeline(texture: Texture): Promise<void> {
    const { random } = this;
    const { stages, ordered, loose } = anyPipeline(
      random,
      texture === 'arrays' || texture === 'elements',
    );
    const shown = loose ? normalText : text;
    const ask = async (name: string, hint?: string | Document): Promise<string[]> => {
      const options = hint === undefined ? {} : { hint };
      const cursor = this.db
        .collection(name)
        .aggregate([...stages(name)], { ...options, promoteValues: false });
      const found = (await cursor.toArray()).map((each) => shown(withJoinedInOrder(each)));
      return ordered ? found : found.sort();
    };
    const expected = await tolerate(ask(twinOf(this.collection), { $natural: 1 }));
    if (expected === undefined) return;
    const hints = this.indexes.filter(isComplete).map(({ name }) => name);
    for (const hint of [undefined, undefined, undefined, ...hints]) {
      const found = await ask(this.name, hint).catch((error: unknown) => [String(error)]);
      this.answers += 1;
      this.pipelines += 1;
      if (found.join('\n') === expected.join('\n')) continue;
      const pipeline = `aggregate ${text(stages(this.name))}`;
      const problem = `${pipeline} gives\n${found.join('\n')}\ninstead of\n${expected.join('\n')}`;
      await this.fail(problem, EVERYTHING, hint);
    }
  }

  private async compareArea(number: number): Promise<void> {
    const { random } = this;
    const query = anyQuery(random);
    const area = areaFilter(random);
    const filter = random.below(2) === 0 ? area : { $and: [area, query.filter] };
    await this.compare({ ...query, filter }, number);
  }

  /** Distances are computed once more, where documents have one point. */
  private async compareNear(): Promise<void> {
    const { random } = this;
    const search = nearSearch(random);
    const rest = random.below(2) === 0 ? {} : anyFilter(random);
    const everything = { ...EVERYTHING, filter: rest };
    const near = { ...EVERYTHING, filter: { ...nearFilter(search), $and: [rest] } };
    const found = await tolerate(this.find(near));
    const all = await tolerate(this.find(everything, { $natural: 1 }));
    if (found === undefined || all === undefined) return;
    this.answers += 1;
    this.near += 1;
    const farOf = (each: Document): number | undefined => distanceTo(search, each['g']);
    const isInside = (far: number | undefined): boolean =>
      far !== undefined && far < search.maxMeters * (1 - 1e-6);
    const known = found.filter((each) => isInside(farOf(each)));
    const expected = all.filter((each) => isInside(farOf(each)));
    const truth = { groups: [expected.map(canonical)] };
    const problem = differenceOf(known.map(canonical), truth, EVERYTHING);
    if (problem !== undefined) await this.fail(problem, near, undefined);
    let before = 0;
    for (const each of known) {
      const far = farOf(each) ?? 0;
      if (far < before * (1 - 1e-6) - 1)
        await this.fail('not in order of distance', near, undefined);
      before = far;
    }
  }

  private async compareWords(): Promise<void> {
    const { random } = this;
    const search = wordSearch(random);
    const rest = pick<Plain>(random, [{}, { c: scalar(random) }, anyFilter(random)]);
    const everything = { ...EVERYTHING, filter: rest };
    const query = { ...EVERYTHING, filter: { $and: [wordFilter(search), rest] } };
    const found = await tolerate(this.find(query));
    const all = await tolerate(this.find(everything, { $natural: 1 }));
    if (found === undefined || all === undefined) return;
    this.answers += 1;
    this.words += 1;
    const expected = all.filter((each) => holdsWords(search, each['t']));
    const truth = { groups: [expected.map(canonical)] };
    const problem = differenceOf(found.map(canonical), truth, EVERYTHING);
    if (problem !== undefined) await this.fail(problem, query, undefined);
  }

  private async compareDistinct(query: OracleQuery): Promise<void> {
    // Which of equal values stands for all of them is anybody's choice.
    if (query.collation !== undefined) return;
    const key = pick(this.random, ['a', 'b', 'c', 'a.x', 'b.y', 'a.x.y']);
    const ask = async (hint: string | Document | undefined): Promise<string[]> => {
      const command = { distinct: this.name, key, query: query.filter, hint };
      const { values } = await this.command(command);
      return (values as unknown[]).map(normalText).sort();
    };
    const expected = await tolerate(ask({ $natural: 1 }));
    if (expected === undefined) return;
    const hints = [undefined, ...this.indexes.filter(isComplete).map(({ name }) => name)];
    for (const hint of hints) {
      const values = await this.attempt(query, hint, () => ask(hint));
      this.answers += 1;
      if (values.join('\n') !== expected.join('\n')) {
        await this.fail(
          `distinct ${key} gives\n${values.join('\n')}\ninstead of\n${expected.join('\n')}`,
          query,
          hint,
        );
      }
    }
  }

  /** Marks what an update finds; the mark is no field of any index but those of all fields. */
  private async compareUpdate(query: OracleQuery, truth: Truth, number: number): Promise<void> {
    const { filter, collation } = query;
    if (query.projection !== undefined) return;
    const total = truth.groups.flat().length;
    const options = collation === undefined ? {} : { collation: collation as never };
    const marked = await this.collection.updateMany(filter, { $set: { mark: number } }, options);
    this.answers += 1;
    if (marked.matchedCount !== total) {
      await this.fail(`an update matched ${marked.matchedCount}, not ${total}`, query, undefined);
    }
    await this.collection.updateMany({}, { $unset: { mark: 1 } });
  }

  private async compareDelete(query: OracleQuery): Promise<void> {
    const plainQuery = { ...query, sort: undefined, projection: undefined, skip: 0, limit: 0 };
    const all = await tolerate(this.find(plainQuery, { $natural: 1 }));
    if (all === undefined) return;
    const { filter, collation } = query;
    const before = await this.collection.countDocuments({}, { hint: { $natural: 1 } });
    const options = collation === undefined ? {} : { collation: collation as never };
    const { deletedCount } = await this.collection.deleteMany(filter, options);
    const after = await this.collection.countDocuments({}, { hint: { $natural: 1 } });
    this.answers += 1;
    if (deletedCount !== all.length || after !== before - all.length) {
      await this.fail(`a delete removed ${deletedCount}, not ${all.length}`, query, undefined);
    }
  }

  private async validate(): Promise<void> {
    const report = await this.command({ validate: this.name, full: true });
    if (report['valid'] === true) return;
    throw new Error(`seed ${this.seed}: validate: ${JSON.stringify(report['errors'])}`);
  }

  private get name(): string {
    return this.collection.collectionName;
  }

  private command(command: Plain): Promise<Document> {
    const given = Object.entries(command).filter(([, argument]) => argument !== undefined);
    return this.collection.db.command(Object.fromEntries(given), { promoteValues: true });
  }

  private get db(): Db {
    return this.collection.db;
  }

  private async attempt<T>(
    query: OracleQuery,
    hint: string | undefined,
    ask: () => Promise<T>,
  ): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      return this.fail(`it fails: ${String(error)}`, query, hint);
    }
  }

  private async fail(
    problem: string,
    query: OracleQuery,
    hint: string | undefined,
  ): Promise<never> {
    const indexes = this.indexes.map(({ key, options, name }) => ({ key, name, ...options }));
    const documents = await this.collection
      .find({}, { hint: { $natural: 1 }, promoteValues: false })
      .toArray();
    const explained = await this.find(query, hint)
      .then(() => this.plan(query, hint))
      .catch((error: unknown) => String(error));
    throw new Error(
      [
        `seed ${this.seed}: ${problem}`,
        `query ${text(query)}`,
        `hint ${hint ?? 'none'}`,
        `indexes ${text(indexes)}`,
        `plan ${text(explained)}`,
        `documents ${text(documents).replace(/x{100,}/g, 'x…x')}`,
        `replay it: npm run oracle -- --seed ${this.seed}`,
      ].join('\n'),
    );
  }

  private async plan(query: OracleQuery, hint: string | undefined): Promise<unknown> {
    const { filter, sort, projection, collation, skip, limit } = query;
    const find = { find: this.name, filter, sort, projection, collation, skip, limit, hint };
    const given = Object.entries(find).filter(([, argument]) => argument !== undefined);
    const explained = await this.db.command({
      explain: Object.fromEntries(given),
      verbosity: 'queryPlanner',
    });
    return explained['queryPlanner']['winningPlan'];
  }
}

/** All documents, as they are. */
const EVERYTHING: OracleQuery = {
  filter: {},
  sort: undefined,
  projection: undefined,
  skip: 0,
  limit: 0,
  collation: undefined,
  batchSize: 101,
};

/** What a look-up finds has no order of its own. */
function withJoinedInOrder(from: Document): Document {
  const joined: unknown = from['joined'];
  if (!Array.isArray(joined)) return from;
  return { ...from, joined: joined.toSorted((a, b) => (text(a) < text(b) ? -1 : 1)) };
}

function isComplete({ hinted }: OracleIndex): boolean {
  return hinted === 'complete';
}

function withTie(query: OracleQuery, direction: 1 | -1): OracleQuery {
  // With _id in it a sort has no ties, whatever stands behind.
  if (query.sort !== undefined && '_id' in query.sort) return query;
  return { ...query, sort: { ...query.sort, _id: direction } };
}

/** undefined when the server refuses it. */
async function tolerate<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof MongoServerError && error.code !== 1) return undefined;
    throw error;
  }
}

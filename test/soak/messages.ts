/**
 * The soak's operations as messages made once: per operation only numbers are patched in place, so that the generator costs less than
 * the server.
 *
 * Owns: the shape of documents and commands. `_id` is what operations choose by; `n` is indexed, and scattered against `_id`.
 */
import { Int32, serialize } from 'bson';
import { encodeOpMsg } from '../../wire/index.ts';

export const DATABASE = 'soak';
const SMALL = 'documents';
const LARGE = 'large';

export const DOCUMENT_BYTES = 1024;
/** Large documents are of sizes from a page's upwards, past an extent. */
const LARGE_SIZES_BYTES = [40 * 1024, 150 * 1024, 400 * 1024, 1300 * 1024];
export const LARGE_DOCUMENTS = 64;

/** Stand where `_id` and `n` are patched; found again by their bytes, so they must occur nowhere else. */
const ID_PLACE = 0x5a3c_69e1;
const NUMBER_PLACE = 0x5a3c_69e2;
/** Begins a text that is filled in. */
const TEXT_MARK = 'Text that is filled in: ';
const TEXT_PLACE = Buffer.from(TEXT_MARK, 'latin1').readInt32LE();
const TEXT_BYTES = 700;
const ID = new Int32(ID_PLACE);
const NUMBER = new Int32(NUMBER_PLACE);

export type OperationName =
  'find' | 'range' | 'group' | 'insert' | 'update' | 'delete' | 'replaceLarge';

export type SmallOperation = Exclude<OperationName, 'replaceLarge'>;

/** Of a hundred thousand operations; as many inserts as deletes, so that the data keeps its size. */
export const MIX: Readonly<Record<OperationName, number>> = {
  find: 45_000,
  update: 25_000,
  insert: 10_500,
  delete: 10_500,
  range: 8_860,
  replaceLarge: 100,
  group: 40,
};

export const READS: ReadonlySet<OperationName> = new Set(['find', 'range', 'group']);

/** Bytes of documents that one of them writes; a delete writes none. */
export const WRITTEN_BYTES: Readonly<Record<OperationName, number>> = {
  find: 0,
  range: 0,
  group: 0,
  insert: DOCUMENT_BYTES,
  update: DOCUMENT_BYTES,
  delete: 0,
  replaceLarge: LARGE_SIZES_BYTES.reduce((sum, bytes) => sum + bytes, 0) / LARGE_SIZES_BYTES.length,
};

/** A message and where its numbers stand. */
export class Template {
  private readonly message: Buffer;
  private readonly ids: readonly number[];
  private readonly numbers: readonly number[];
  /** Where text stands that is another one in each document; its place begins with TEXT_PLACE. */
  private readonly texts: readonly number[];
  /** Places of ids that belong to one document. */
  private readonly idsPerDocument: number;

  constructor(body: Record<string, unknown>, documents: readonly Buffer[] = []) {
    this.message = encodeOpMsg({
      requestId: 1,
      body: Buffer.from(serialize({ ...body, $db: DATABASE })),
      ...(documents.length === 0 ? {} : { sequences: [{ identifier: 'documents', documents }] }),
    });
    this.ids = placesOf(this.message, ID_PLACE);
    this.numbers = placesOf(this.message, NUMBER_PLACE);
    this.texts = placesOf(this.message, TEXT_PLACE);
    this.idsPerDocument = this.ids.length / Math.max(1, documents.length);
  }

  /** The message for one operation, valid until the next call: ids of several documents follow one another from `id` on. */
  fill(id: number, number: (id: number) => number): Buffer {
    for (const [index, at] of this.ids.entries()) {
      this.message.writeInt32LE(id + Math.floor(index / this.idsPerDocument), at);
    }
    for (const [index, at] of this.numbers.entries()) {
      this.message.writeInt32LE(number(id + index), at);
    }
    for (const at of this.texts) {
      const from = Math.floor(Math.random() * (NOISE.length - TEXT_BYTES));
      NOISE.copy(this.message, at, from, from + TEXT_BYTES);
    }
    return this.message;
  }
}

/** For one connection: a message stays as it is until its answer. */
export function operationTemplates(): Readonly<Record<SmallOperation, Template>> {
  return {
    find: new Template({ find: SMALL, filter: { _id: ID }, limit: 1, singleBatch: true }),
    range: new Template({
      find: SMALL,
      filter: { n: { $gte: NUMBER } },
      sort: { n: 1 },
      limit: 10,
    }),
    group: new Template({
      aggregate: SMALL,
      pipeline: [
        { $match: { n: { $gte: NUMBER } } },
        { $limit: 200 },
        { $group: { _id: '$kind', count: { $sum: 1 }, last: { $max: '$updates' } } },
        { $sort: { count: -1 } },
      ],
      cursor: {},
    }),
    insert: new Template({ insert: SMALL, documents: [smallDocument()] }),
    update: new Template({
      update: SMALL,
      updates: [{ q: { _id: ID }, u: { $set: { n: NUMBER }, $inc: { updates: 1 } } }],
    }),
    delete: new Template({ delete: SMALL, deletes: [{ q: { _id: ID }, limit: 1 }] }),
  };
}

/** One per size, for all connections: to make them takes a while. What is filled in must be copied before the next one. */
export function largeTemplates(): readonly Template[] {
  return LARGE_SIZES_BYTES.map(
    (bytes) =>
      new Template({
        update: LARGE,
        updates: [{ q: { _id: ID }, u: largeDocument(bytes), upsert: true }],
      }),
  );
}

/** Inserts so many documents at once, for the first load. */
export function insertManyTemplate(documents: number): Template {
  const document = Buffer.from(serialize(smallDocument()));
  return new Template(
    { insert: SMALL, ordered: false },
    Array.from({ length: documents }, () => document),
  );
}

export function createIndexesTemplate(): Template {
  return new Template({ createIndexes: SMALL, indexes: [{ key: { n: 1 }, name: 'n_1' }] });
}

function smallDocument(): Record<string, unknown> {
  const document = {
    _id: ID,
    n: NUMBER,
    kind: 'kind of document',
    updates: 0,
    text: `${TEXT_MARK}${randomText(TEXT_BYTES - TEXT_MARK.length)}`,
    padding: '',
  };
  const missing = DOCUMENT_BYTES - serialize(document).length;
  return { ...document, padding: randomText(missing) };
}

function largeDocument(bytes: number): Record<string, unknown> {
  return { _id: ID, n: NUMBER, text: randomText(bytes) };
}

/** Text that compresses about as text of people does, the same in every run. */
function randomText(length: number): string {
  let state = length;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += `${WORDS[state >>> 26]} `;
  }
  return text.slice(0, length);
}

const WORDS: readonly string[] = Array.from({ length: 64 }, (_, index) =>
  Math.imul(index + 1, 0x9e37_79b1)
    .toString(36)
    .replace('-', '')
    .slice(0, 2 + (index % 6)),
);

/** Text to cut pieces from. */
const NOISE: Buffer = Buffer.from(randomText(1024 * 1024), 'latin1');

function placesOf(message: Buffer, placeholder: number): number[] {
  const pattern = Buffer.alloc(4);
  pattern.writeInt32LE(placeholder);
  const places: number[] = [];
  for (let at = message.indexOf(pattern); at !== -1; at = message.indexOf(pattern, at + 4)) {
    places.push(at);
  }
  return places;
}

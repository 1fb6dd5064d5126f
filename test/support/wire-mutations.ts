/**
 * Broken wire messages: valid ones, changed at random, each by its own number, so that any of them can be made again.
 *
 * Promises: message(n) of a seed is always the same bytes. What is broken: single bits, numbers, lengths, types, the framing,
 * the compressed part; what is well-formed but means nothing; what ends too early.
 */
import {
  Binary,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
  type Document,
} from 'bson';
import { SeededRandom, type Random } from '../../common/random.ts';
import {
  compressMessage,
  compressorByName,
  encodeOpMsg,
  encodeOpQuery,
  type DocumentSequence,
} from '../../wire/index.ts';

export interface BrokenMessage {
  readonly bytes: Buffer;
  /** What was done to it, for a report. */
  readonly how: string;
}

const DATABASE = 'broken';
/** Larger than any prime below, so that neighbours get unlike sequences. */
const SEED_STRIDE = 1_000_003;
const HEADER_BYTES = 16;

/** The message of a seed with this number. */
export function brokenMessage(seed: number, number: number): BrokenMessage {
  const random = new SeededRandom(seed * SEED_STRIDE + number);
  const kinds = [
    breakBits,
    breakBits,
    breakBody,
    breakBody,
    breakBody,
    truncate,
    truncateBody,
    wrongValues,
    wrongValues,
    wrongValues,
    wrongValues,
    wrongValues,
    breakCompressed,
    breakLegacy,
    nonsense,
  ] as const;
  return choose(random, kinds)(random);
}

/** Anything anywhere in a valid message, its header included. */
function breakBits(random: Random): BrokenMessage {
  const message = validMessage(random);
  return { bytes: damage(message, random), how: 'bytes of a message changed' };
}

/** The framing stays whole, so that the BSON inside is looked at. */
function breakBody(random: Random): BrokenMessage {
  const body = Buffer.from(serialize(validCommand(random)));
  const broken = damage(body, random);
  // Often the document's own length is put right again, so that what is deeper is reached.
  if (random.next() < 0.7 && broken.length >= 4) broken.writeInt32LE(broken.length, 0);
  return { bytes: frame(broken), how: 'bytes of the BSON body changed' };
}

function truncate(random: Random): BrokenMessage {
  const message = validMessage(random);
  const bytes = Buffer.from(message.subarray(0, random.below(message.length)));
  if (bytes.length >= 4 && random.next() < 0.9) bytes.writeInt32LE(bytes.length, 0);
  return { bytes, how: `message cut after ${bytes.length} bytes` };
}

function truncateBody(random: Random): BrokenMessage {
  const body = Buffer.from(serialize(validCommand(random)));
  const cut = Buffer.from(body.subarray(0, 5 + random.below(body.length - 5)));
  if (random.next() < 0.5) cut.writeInt32LE(cut.length, 0);
  return { bytes: frame(cut), how: `BSON body cut after ${cut.length} bytes` };
}

/** Sound BSON that makes no sense as a command. */
function wrongValues(random: Random): BrokenMessage {
  const command = validCommand(random);
  for (let changes = 1 + random.below(3); changes > 0; changes -= 1)
    replaceSomething(command, random, 0);
  return { bytes: frame(Buffer.from(serialize(command))), how: 'values of a command replaced' };
}

function breakCompressed(random: Random): BrokenMessage {
  const compressor = compressorByName(random.next() < 0.5 ? 'snappy' : 'zlib');
  const plain = encodeOpMsg({ requestId: 1, body: Buffer.from(serialize(validCommand(random))) });
  const compressed = compressMessage(plain, compressor);
  const message = compressed instanceof Promise ? plain : compressed;
  return {
    bytes: random.next() < 0.1 ? message : damage(message, random),
    how: 'compressed message changed',
  };
}

function breakLegacy(random: Random): BrokenMessage {
  const message = encodeOpQuery({
    requestId: 1,
    fullCollectionName: choose(random, ['admin.$cmd', 'broken.items', 'broken.$cmd', '', '.']),
    query: Buffer.from(
      serialize(
        choose(random, [
          { hello: 1 },
          { isMaster: 1 },
          { find: 'items' },
          { $query: { hello: 1 } },
        ]),
      ),
    ),
  });
  return {
    bytes: random.next() < 0.3 ? message : damage(message, random),
    how: 'OP_QUERY changed',
  };
}

function nonsense(random: Random): BrokenMessage {
  const bytes = random.bytes(HEADER_BYTES + random.below(200));
  bytes.writeInt32LE(bytes.length, 0);
  bytes.writeInt32LE(choose(random, [1, 2001, 2004, 2005, 2010, 2012, 2013, 0, -1]), 12);
  return { bytes, how: 'random bytes behind a header' };
}

function validMessage(random: Random): Buffer {
  const command = validCommand(random);
  const sequences: DocumentSequence[] = [];
  const { documents } = command;
  if (Array.isArray(documents) && random.next() < 0.5) {
    delete command['documents'];
    sequences.push({
      identifier: 'documents',
      documents: documents.map((each: Document) => Buffer.from(serialize(each))),
    });
  }
  return encodeOpMsg({
    requestId: 1,
    body: Buffer.from(serialize(command)),
    sequences,
    checksum: random.next() < 0.1,
    moreToCome: random.next() < 0.05,
    exhaustAllowed: random.next() < 0.05,
  });
}

function frame(body: Buffer): Buffer {
  const header = encodeOpMsg({ requestId: 1, body: Buffer.alloc(0) });
  const message = Buffer.concat([header, body]);
  message.writeInt32LE(message.length, 0);
  return message;
}

function validCommand(random: Random): Document {
  const filter = choose(random, FILTERS);
  const commands: readonly Document[] = [
    { hello: 1, client: { driver: { name: 'x', version: '1' }, os: { type: 'y' } } },
    { insert: 'items', documents: [someDocument(random), someDocument(random)], ordered: true },
    { find: 'items', filter, sort: { n: 1 }, limit: 10, projection: { n: 1, 'a.b': 1 } },
    { find: 'items', filter, batchSize: 2, collation: { locale: 'simple' }, hint: { _id: 1 } },
    { count: 'items', query: filter },
    { distinct: 'items', key: 'a.b', query: filter },
    {
      update: 'items',
      updates: [
        { q: filter, u: choose(random, UPDATES), multi: random.next() < 0.5, upsert: false },
      ],
    },
    { delete: 'items', deletes: [{ q: { n: random.below(1_000) }, limit: 1 }] },
    { findAndModify: 'items', query: filter, update: choose(random, UPDATES) },
    { aggregate: 'items', pipeline: choose(random, PIPELINES), cursor: {} },
    { getMore: Long.fromNumber(123_456_789), collection: 'items', batchSize: 3 },
    { killCursors: 'items', cursors: [Long.fromNumber(5)] },
    { listCollections: 1, filter: { name: 'items' }, nameOnly: true },
    { listIndexes: 'items' },
    { explain: { find: 'items', filter }, verbosity: 'executionStats' },
    { serverStatus: 1 },
    { connectionStatus: 1 },
  ];
  const command = choose(random, commands);
  if (random.next() < 0.2) command['lsid'] = { id: new Binary(random.bytes(16), 4) };
  if (random.next() < 0.1) command['maxTimeMS'] = 1_000;
  if (random.next() < 0.1) command['writeConcern'] = { w: 1 };
  return { ...structured(command), $db: DATABASE };
}

/** A copy of the parts that may be replaced: the constants below are shared. */
function structured(document: Document): Document {
  return Object.fromEntries(Object.entries(document).map(([name, value]) => [name, copyOf(value)]));
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  return isPlain(value) ? structured(value) : value;
}

function isPlain(value: unknown): value is Document {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

const FILTERS: readonly Document[] = [
  {},
  { n: 5 },
  { n: { $gt: 3, $lte: 900 } },
  { 'a.b': { $in: [1, 'x', null, /^y/i] } },
  { $or: [{ n: 1 }, { $and: [{ text: { $regex: '^a.*b$', $options: 'i' } }, { n: { $ne: 2 } }] }] },
  { tags: { $all: ['x', 'y'], $size: 2 } },
  { tags: { $elemMatch: { $gte: 'a', $lt: 'm' } } },
  { n: { $mod: [3, 1] }, a: { $exists: true, $type: ['object', 'array'] } },
  { $expr: { $gt: ['$n', { $add: [1, 2] }] } },
  { n: { $not: { $gte: 7 } }, _id: { $nin: [1, 2, 3] } },
];

const UPDATES: readonly Document[] = [
  { $set: { n: 7, 'a.b': 'z' } },
  { $inc: { n: 1 }, $mul: { m: 2 } },
  { $push: { tags: { $each: ['p', 'q'], $slice: -3 } } },
  { $pull: { tags: { $in: ['p'] } }, $unset: { gone: '' } },
  { $addToSet: { tags: 'r' }, $min: { low: 1 }, $max: { high: 9 } },
  { $rename: { old: 'young' }, $pop: { list: 1 } },
  { n: 3, replaced: true },
];

const PIPELINES: readonly (readonly Document[])[] = [
  [
    { $match: { n: { $gt: 1 } } },
    { $group: { _id: '$n', sum: { $sum: '$m' } } },
    { $sort: { _id: 1 } },
  ],
  [{ $unwind: '$tags' }, { $project: { tags: 1, twice: { $multiply: ['$n', 2] } } }, { $limit: 5 }],
  [{ $set: { z: { $cond: [{ $eq: ['$n', 1] }, 'one', 'other'] } } }, { $unset: 'a' }, { $skip: 1 }],
  [{ $count: 'n' }],
];

function someDocument(random: Random): Document {
  return {
    n: random.below(1_000),
    text: 'a'.repeat(random.below(40)),
    a: { b: choose(random, [1, 'x', null, [1, { c: 2 }]]) },
    tags: ['x', 'y', 'z'].slice(random.below(3)),
    m: choose(random, NUMBERS),
    at: new Date(random.below(2 ** 31)),
  };
}

const NUMBERS: readonly unknown[] = [
  new Int32(5),
  new Double(1.5),
  Long.MAX_VALUE,
  Decimal128.fromString('1E+6000'),
];

/** Values that are sound BSON and out of place. */
function wrongValue(random: Random): unknown {
  return choose<() => unknown>(random, [
    () => null,
    () => undefined,
    () => '',
    () => 'x'.repeat(random.below(3_000)),
    () => '$' + 'a.'.repeat(random.below(300)),
    () => 'a\0b',
    () => new Double(choose(random, [NaN, Infinity, -Infinity, -0, 1e308, -1.5])),
    () => choose(random, [Long.MAX_VALUE, Long.MIN_VALUE, Long.fromNumber(-1)]),
    () => new Int32(choose(random, [-1, 0, 2 ** 31 - 1, -(2 ** 31)])),
    () => Decimal128.fromString(choose(random, ['NaN', 'Infinity', '-0E-6176', '9.99E+6144'])),
    () => new Binary(random.bytes(random.below(40)), choose(random, [0, 2, 3, 4, 5, 6, 128])),
    () => new ObjectId(random.bytes(12)),
    () => new MinKey(),
    () => new MaxKey(),
    () => new Timestamp({ t: random.below(2 ** 31), i: 1 }),
    () => new Date(choose(random, [0, -1, 8.64e15])),
    () => /(a+)+$/,
    () => nested(random.below(250)),
    () => Array.from({ length: random.below(50) }, () => choose(random, NUMBERS)),
    () => ({ [choose(random, OPERATORS)]: choose(random, [1, 'x', [], {}, null, [[1], 2]]) }),
    () => choose(random, [true, false]),
  ])();
}

const OPERATORS: readonly string[] = [
  '$gt',
  '$in',
  '$regex',
  '$not',
  '$elemMatch',
  '$expr',
  '$mod',
  '$all',
  '$type',
  '$size',
  '$set',
  '$inc',
  '$push',
  '$pull',
  '$bit',
  '$group',
  '$match',
  '$unwind',
  '$add',
  '$cond',
  '$literal',
  '$let',
  '$map',
  '$noSuch',
  '$',
  '',
];

function nested(depth: number): Document {
  let document: Document = { end: 1 };
  for (let level = 0; level < depth; level += 1)
    document = level % 2 === 0 ? { a: document } : { a: [document] };
  return document;
}

/** Walks down at random and puts something else there. */
function replaceSomething(container: Document, random: Random, depth: number): void {
  const names = Object.keys(container).filter((name) => name !== '$db' || random.next() < 0.05);
  const name = names[random.below(Math.max(1, names.length))];
  if (name === undefined) return;
  const value: unknown = container[name];
  if (
    typeof value === 'object' &&
    value !== null &&
    depth < 6 &&
    random.next() < 0.7 &&
    (Array.isArray(value) || isPlain(value))
  ) {
    replaceSomething(value, random, depth + 1);
    return;
  }
  const dice = random.next();
  if (dice < 0.1 && !Array.isArray(container)) delete container[name];
  else if (dice < 0.2 && !Array.isArray(container))
    container[choose(random, OPERATORS)] = wrongValue(random);
  else container[name] = wrongValue(random);
}

/** Changes a copy of some bytes in one to four places. */
function damage(bytes: Buffer, random: Random): Buffer {
  let damaged: Buffer = Buffer.from(bytes);
  for (let changes = 1 + random.below(4); changes > 0; changes -= 1)
    damaged = damageOnce(damaged, random);
  return damaged;
}

function damageOnce(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  const count = 1 + random.below(8);
  switch (random.below(7)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
      bytes[at] = choose(
        random,
        [0, 1, 2, 3, 4, 5, 7, 8, 0x0b, 0x0f, 0x10, 0x12, 0x13, 0x7f, 0x80, 0xff],
      );
      return bytes;
    case 3:
      if (at + 4 <= bytes.length) bytes.writeInt32LE(choose(random, LENGTHS), at);
      return bytes;
    case 4:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(count), bytes.subarray(at)]);
    case 5:
      return Buffer.concat([
        bytes.subarray(0, at),
        bytes.subarray(Math.min(bytes.length - 1, at + count)),
      ]);
    default:
      return Buffer.concat([
        bytes.subarray(0, at),
        bytes.subarray(at, at + 32),
        bytes.subarray(at),
      ]);
  }
}

const LENGTHS: readonly number[] = [
  0,
  1,
  4,
  5,
  16,
  255,
  65_536,
  -1,
  -5,
  2 ** 31 - 1,
  -(2 ** 31),
  16 * 1024 * 1024,
  48_000_000,
  48_000_001,
];

function choose<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[random.below(values.length)];
  if (value === undefined && values.length === 0)
    throw new Error('there is nothing to choose from');
  return value as Value;
}

/**
 * Compressed columns, written here by the format's description, in any division into words.
 */
import assert from 'node:assert/strict';
import { BSON } from 'mongodb';
import fc from 'fast-check';
import { DocumentBuilder, type RawValue } from '../../../bson/index.ts';
import { columnValues } from '../../../query/timeseries/bson-column.ts';
import { simple8bValues } from '../../../query/timeseries/simple8b.ts';
import { decompressedBucket } from '../../../query/timeseries/decompressed-bucket.ts';

type Slot = bigint | undefined;

/** Selector, extension, bits of a number, bits of its count of zeros, zeros per count: the tables of the description. */
const LAYOUTS: readonly (readonly [number, number, number, number, number])[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 60].map(
    (width, at) => [at + 1, 0, width, 0, 0] as const,
  ),
  ...[2, 3, 4, 5, 7, 10, 14, 24, 52].map((width, at) => [7, at + 1, width, 4, 1] as const),
  ...[4, 5, 7, 10, 14, 24, 52].map((width, at) => [8, at + 1, width, 4, 4] as const),
  ...[4, 6, 9, 13, 23, 51].map((width, at) => [8, at + 8, width, 5, 4] as const),
];

/** A word of as many of the first slots as a layout takes; undefined when it does not take them. */
function word(
  slots: readonly Slot[],
  layout: (typeof LAYOUTS)[number],
): { word: bigint; taken: number } | undefined {
  const [selector, extension, width, countBits, zeros] = layout;
  const total = width + countBits;
  const first = selector === 7 || selector === 8 ? 8 : 4;
  const taken = Math.floor((64 - first) / total);
  if (slots.length < taken) return undefined;
  const allOnes = (1n << BigInt(total)) - 1n;
  let made = BigInt(selector) | (BigInt(extension) << 4n);
  for (const [index, slot] of slots.slice(0, taken).entries()) {
    let bits = allOnes;
    if (slot !== undefined) {
      let [number, count] = [slot, 0n];
      const unit = BigInt(zeros);
      while (zeros > 0 && number > 0n && count < (1n << BigInt(countBits)) - 1n) {
        if (number & ((1n << unit) - 1n)) break;
        number >>= unit;
        count += 1n;
      }
      bits = (number << BigInt(countBits)) | count;
      if (number >= 1n << BigInt(width) || bits === allOnes) return undefined;
    }
    made |= bits << BigInt(first + index * total);
  }
  return { word: made, taken };
}

/** @param choose the position of one of so many layouts */
function words(slots: readonly Slot[], choose: (count: number) => number): bigint[] {
  const made: bigint[] = [];
  for (let at = 0; at < slots.length;) {
    const fitting = LAYOUTS.map((layout) => word(slots.slice(at), layout)).filter(
      (each) => each !== undefined,
    );
    const chosen = fitting[choose(fitting.length)];
    assert.ok(chosen !== undefined, 'no word takes the number');
    made.push(chosen.word);
    at += chosen.taken;
  }
  return made;
}

function bytesOfWords(all: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(all.length * 8);
  all.forEach((each, index) => bytes.writeBigUInt64LE(each, index * 8));
  return bytes;
}

const zigzag = (value: bigint, bits: number): bigint =>
  BigInt.asUintN(bits, (value << 1n) ^ (value < 0n ? -1n : 0n));

function controls(
  scale: number,
  slots: readonly Slot[],
  choose: (count: number) => number,
): Buffer[] {
  const all = words(slots, choose);
  const blocks: Buffer[] = [];
  for (let at = 0; at < all.length; at += 16) {
    const here = all.slice(at, at + 16);
    blocks.push(Buffer.of(scale | (here.length - 1)), bytesOfWords(here));
  }
  return blocks;
}

/** A BSON element without a name. */
function literal(value: unknown): Buffer {
  return Buffer.from(BSON.serialize({ '': value })).subarray(4, -1);
}

const END = Buffer.of(0);

function decoded(column: Buffer): unknown[] {
  return columnValues(column).map((value) => (value === undefined ? undefined : plain(value)));
}

function plain(value: RawValue): unknown {
  const document = new DocumentBuilder().append('v', value).finish();
  return BSON.deserialize(document, { promoteValues: false })['v'];
}

interface Kind {
  readonly name: string;
  readonly make: fc.Arbitrary<unknown>;
  readonly number: (value: never) => bigint;
  readonly bits: 64 | 128;
  readonly ofSteps?: boolean;
  readonly scale?: number;
}

const bigs = (bits: number): fc.Arbitrary<bigint> =>
  fc.oneof(
    fc.bigInt({ min: -50n, max: 50n }),
    fc.bigInt({ min: -(1n << BigInt(bits)), max: 1n << BigInt(bits) }),
  );

const KINDS: readonly Kind[] = [
  {
    name: 'int32',
    bits: 64,
    make: bigs(29).map((n) => new BSON.Int32(Number(n))),
    number: (v: BSON.Int32) => BigInt(v.value),
  },
  {
    name: 'int64',
    bits: 64,
    make: bigs(55).map((n) => BSON.Long.fromBigInt(n)),
    number: (v: BSON.Long) => v.toBigInt(),
  },
  {
    name: 'date',
    bits: 64,
    ofSteps: true,
    make: bigs(45).map((n) => new Date(Number(n))),
    number: (v: Date) => BigInt(v.getTime()),
  },
  { name: 'bool', bits: 64, make: fc.boolean(), number: (v: boolean) => BigInt(v) },
  {
    name: 'double scaled by 100',
    bits: 64,
    scale: 0xb0,
    make: bigs(45).map((n) => new BSON.Double(Number(n) / 100)),
    number: (v: BSON.Double) => BigInt(Math.round(v.value * 100)),
  },
  {
    name: 'string',
    bits: 128,
    make: fc.string({ unit: fc.constantFrom('a', 'b', '7'), maxLength: 7 }),
    number: (v: string) => BigInt(`0x0${Buffer.from(v).toString('hex')}`),
  },
];

function column(values: readonly unknown[], kind: Kind, choose: (count: number) => number): Buffer {
  const { number, bits, ofSteps, scale = 0x80 } = kind;
  const first = values.findIndex((value) => value !== undefined);
  const missing =
    first < 0 ? values.map(() => undefined) : values.slice(0, first).map(() => undefined);
  const parts = controls(0x80, missing, choose);
  if (first >= 0) {
    parts.push(literal(values[first]));
    let before = number(values[first] as never);
    let step = 0n;
    const slots = values.slice(first + 1).map((value): Slot => {
      if (value === undefined) return undefined;
      const here = number(value as never);
      const delta = here - before;
      before = here;
      const stored = ofSteps === true ? delta - step : delta;
      step = delta;
      return zigzag(stored, bits);
    });
    parts.push(...controls(scale, slots, choose));
  }
  return Buffer.concat([...parts, END]);
}

describe('a compressed column', () => {
  const choices = fc.infiniteStream(fc.nat(1000));

  for (const kind of KINDS) {
    it(`gives its values back, the missing ones too: ${kind.name}`, () => {
      const values = fc.array(fc.option(kind.make, { nil: undefined }), { maxLength: 60 });
      fc.assert(
        fc.property(values, choices, (given, chosen) => {
          const choose = (count: number): number => Number(chosen.next().value) % count;
          assert.deepEqual(decoded(column(given, kind, choose)), given.map(boxed));
        }),
        { numRuns: 150 },
      );
    });
  }

  /** As deserialize gives them without promotion. */
  const boxed = (value: unknown): unknown => value;

  it('repeats what stood before', () => {
    const repeat = Buffer.concat([Buffer.of(0x80), bytesOfWords([15n | (1n << 4n)])]);
    const given = decoded(Buffer.concat([literal(new BSON.Int32(5)), repeat, END]));
    assert.deepEqual(
      given,
      Array.from({ length: 241 }, () => new BSON.Int32(5)),
    );
    const rising = Buffer.concat([Buffer.of(0x81), bytesOfWords([14n | (4n << 4n), 15n])]);
    const sums = decoded(Buffer.concat([literal(new BSON.Int32(5)), rising, END]));
    assert.deepEqual(
      sums.slice(0, 3),
      [5, 7, 9].map((each) => new BSON.Int32(each)),
    );
    assert.equal(sums.length, 122);
  });

  it('takes objects apart and puts them together', () => {
    const reference = Buffer.from(BSON.serialize({ x: 1, in: { y: 'a' }, list: [1] }));
    const one = (scale: number, slot: Slot): Buffer => controls(scale, [slot], () => 0)[1]!;
    const entry = (slot: Slot): Buffer => Buffer.concat([Buffer.of(0x80), one(0x80, slot)]);
    const bytes = Buffer.concat([
      Buffer.of(0xf1),
      reference,
      // First object: as the reference, its list's element one more.
      entry(0n),
      entry(0n),
      entry(2n),
      // Second: only the text, as another literal.
      entry(undefined),
      literal('bee'),
      entry(undefined),
      // Third: nothing.
      entry(undefined),
      entry(undefined),
      entry(undefined),
      END,
      END,
    ]);
    assert.deepEqual(
      columnValues(bytes).map((value) => value && BSON.deserialize(value.asDocument())),
      [{ x: 1, in: { y: 'a' }, list: [2] }, { in: { y: 'bee' } }, undefined],
    );
  });

  it('knows ObjectIds, timestamps, decimals and binaries by their differences', () => {
    const slot = (number: bigint): Buffer => controls(0x80, [number], () => 0)[1]!;
    const next = (value: unknown, delta: bigint): unknown =>
      decoded(Buffer.concat([literal(value), Buffer.of(0x80), slot(zigzag(delta, 64)), END]))[1];
    const id = new BSON.ObjectId('0102030405060708090a0b0c');
    // The lowest byte of the seconds, then that of the counter.
    assert.deepEqual(next(id, 0x0201n), new BSON.ObjectId('0102030505060708090a0b0e'));
    const stamp = new BSON.Timestamp({ t: 7, i: 1 });
    assert.deepEqual(next(stamp, 2n), new BSON.Timestamp({ t: 7, i: 3 }));
    assert.deepEqual(next(BSON.Decimal128.fromString('1'), 4n), BSON.Decimal128.fromString('5'));
    const binary = new BSON.Binary(Buffer.from([1, 2, 3]), 5);
    assert.deepEqual(next(binary, 0x010001n), new BSON.Binary(Buffer.from([2, 2, 4]), 5));
  });

  it('is refused when it is none, whatever its bytes', () => {
    for (const bad of [
      Buffer.alloc(0),
      Buffer.of(0, 0),
      Buffer.of(0x80, 1),
      Buffer.concat([Buffer.of(0x80), bytesOfWords([0n]), END]),
      Buffer.concat([Buffer.of(0x80), bytesOfWords([14n | (2n << 4n)]), END]),
      Buffer.concat([Buffer.of(0xf3), END]),
      Buffer.concat([literal('x').subarray(0, -2), END]),
    ]) {
      assert.throws(() => columnValues(bad), `it took ${bad.toString('hex')}`);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          columnValues(Buffer.from(bytes));
        } catch (error) {
          assert.equal((error as Error).name, 'CommandError');
        }
      }),
      { numRuns: 5000 },
    );
    // Sixteen words, each of 1920 times nothing, many times over.
    const many = Buffer.concat(
      Array.from({ length: 100 }, () =>
        Buffer.concat([Buffer.of(0x8f), bytesOfWords(Array.from({ length: 16 }, () => 0xffn))]),
      ),
    );
    assert.throws(() => columnValues(Buffer.concat([many, END])), { code: 6067602 });
  });

  it('is a plain one in a bucket that was taken apart', () => {
    const times = [0, 1000, 2500].map((ms) => new Date(ms));
    const choose = (): number => 0;
    const bucket = Buffer.from(
      BSON.serialize({
        _id: new BSON.ObjectId(),
        control: { version: 2, min: { t: times[0], v: 1 }, max: { t: times[2], v: 9 }, count: 3 },
        meta: 'm',
        data: {
          t: new BSON.Binary(column(times, KINDS[2]!, choose), 7),
          v: new BSON.Binary(
            column([new BSON.Int32(1), undefined, new BSON.Int32(9)], KINDS[0]!, choose),
            7,
          ),
        },
      }),
    );
    const made = BSON.deserialize(decompressedBucket(bucket));
    assert.deepEqual(made['data'], {
      t: { 0: times[0], 1: times[1], 2: times[2] },
      v: { 0: 1, 2: 9 },
    });
    const { version, count, min } = made['control'];
    assert.deepEqual([version, count, min.v], [1, undefined, 1]);
  });
});

describe('Simple-8b words', () => {
  it('hold any numbers in any division', () => {
    const numbers = fc.array(
      fc.option(
        fc.oneof(fc.bigInt({ min: 0n, max: 9n }), fc.bigInt({ min: 0n, max: (1n << 52n) - 1n })),
        { nil: undefined },
      ),
      {
        maxLength: 100,
      },
    );
    fc.assert(
      fc.property(numbers, fc.infiniteStream(fc.nat(1000)), (slots, chosen) => {
        const bytes = bytesOfWords(words(slots, (count) => Number(chosen.next().value) % count));
        assert.deepEqual([...simple8bValues(bytes, 0, bytes.length, 0n)], slots);
      }),
      { numRuns: 300 },
    );
  });
});

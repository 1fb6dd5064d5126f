/**
 * MessagePack against another implementation of it (msgpackr), and the bytes of docs/format/messagepack.md.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { BSON, Long } from 'bson';
import { Packr, Unpackr } from 'msgpackr';
import { decodeMessagePack } from '../../../server/http/formats/message-pack-decode.ts';
import { encodeMessagePack } from '../../../server/http/formats/message-pack-encode.ts';

const bson = (document: object): Buffer => Buffer.from(BSON.serialize(document));
const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
/** The one value of a document with the field `v`. */
const packed = (value: unknown): string =>
  encodeMessagePack(bson({ v: value }))
    .toString('hex')
    .slice('81a176'.length);

const { Int32, Double, Binary, ObjectId, BSONRegExp, Timestamp, Decimal128 } = BSON;

/** Each value of BSON, and its bytes in MessagePack. */
const VALUES: readonly [string, unknown, string][] = [
  ['null', null, 'c0'],
  ['false', false, 'c2'],
  ['true', true, 'c3'],
  ['int 0', new Int32(0), '00'],
  ['int 127', new Int32(127), '7f'],
  ['int 128', new Int32(128), 'cc80'],
  ['int 255', new Int32(255), 'ccff'],
  ['int 256', new Int32(256), 'cd0100'],
  ['int 65535', new Int32(65_535), 'cdffff'],
  ['int 65536', new Int32(65_536), 'd200010000'],
  ['largest int', new Int32(2 ** 31 - 1), 'd27fffffff'],
  ['int -1', new Int32(-1), 'ff'],
  ['int -32', new Int32(-32), 'e0'],
  ['int -33', new Int32(-33), 'd0df'],
  ['int -128', new Int32(-128), 'd080'],
  ['int -129', new Int32(-129), 'd1ff7f'],
  ['int -32768', new Int32(-32_768), 'd18000'],
  ['int -32769', new Int32(-32_769), 'd2ffff7fff'],
  ['smallest int', new Int32(-(2 ** 31)), 'd280000000'],
  ['long 1', Long.fromNumber(1), 'd30000000000000001'],
  ['smallest long', Long.MIN_VALUE, 'd38000000000000000'],
  ['double 1', new Double(1), 'cb3ff0000000000000'],
  ['double -0', new Double(-0), 'cb8000000000000000'],
  ['string', 'aé', 'a361c3a9'],
  ['string of 32', 'x'.repeat(32), `d920${'78'.repeat(32)}`],
  ['array', ['a', null], '92a161c0'],
  ['document', { b: true, a: {} }, '82a162c3a16180'],
  ['binary', new Binary(Buffer.of(1, 2)), 'c4020102'],
  ['uuid', new Binary(Buffer.alloc(16, 7), 4), `c715051000000004${'07'.repeat(16)}`],
  ['object id', new ObjectId('0123456789abcdef01234567'), 'c70c070123456789abcdef01234567'],
  ['date in seconds', new Date(1000), 'd6ff00000001'],
  ['date', new Date(1001), 'd7ff003d090000000001'],
  ['date before 1970', new Date(-1), 'c70cff3b8b87c0ffffffffffffffff'],
  ['regex', new BSONRegExp('a', 'i'), 'd60b61006900'],
  ['timestamp', new Timestamp({ t: 2, i: 1 }), 'd7110100000002000000'],
  ['decimal', Decimal128.fromString('1'), 'd81301000000000000000000000000004030'],
  ['code', new BSON.Code('f'), 'd60d020000006600'.replace('d60d', 'c7060d')],
  ['symbol', new BSON.BSONSymbol('s'), 'c7060e020000007300'],
  ['min key', new BSON.MinKey(), 'c7007e'],
  ['max key', new BSON.MaxKey(), 'c7007f'],
];

describe('server/http: MessagePack', () => {
  for (const [name, value, bytes] of VALUES) {
    it(`writes and reads ${name}`, () => {
      assert.equal(packed(value), bytes);
      const document = bson({ v: value });
      assert.deepEqual(decodeMessagePack(encodeMessagePack(document)), document);
    });
  }

  it('keeps what BSON has beyond JavaScript: repeated names, order, undefined, code with scope', () => {
    const scope = bson({ v: new BSON.Code('f', { a: 1 }) });
    assert.deepEqual(decodeMessagePack(encodeMessagePack(scope)), scope);
    // Two fields of the same name, the first of type undefined.
    const repeated = hex('0f000000 06 32 00 08 32 00 01 0a 31 00 00'.replace('0f', '10').trim());
    repeated.writeInt32LE(repeated.length, 0);
    assert.deepEqual(decodeMessagePack(encodeMessagePack(repeated)), repeated);
  });

  it('has long forms for what is long', () => {
    for (const size of [15, 16, 255, 256, 65_535, 65_536]) {
      const long = {
        text: 'x'.repeat(size),
        bytes: Buffer.alloc(size),
        special: new Binary(Buffer.alloc(size), 9),
        list: Array.from({ length: size }, () => null),
        map: Object.fromEntries(Array.from({ length: size }, (_, n) => [`f${n}`, n])),
      };
      const document = bson(long);
      assert.deepEqual(decodeMessagePack(encodeMessagePack(document)), document);
    }
  });

  it('is understood by another implementation', () => {
    const unpackr = new Unpackr({ useRecords: false, int64AsType: 'bigint' });
    const value = { i: 1, d: 1.5, s: 'é', a: [1, { x: null }], t: new Date(1_600_000_000_123) };
    const document = bson({ ...value, l: Long.fromNumber(5), b: Buffer.of(1) });
    const read: unknown = unpackr.unpack(encodeMessagePack(document));
    assert.deepEqual(read, { ...value, l: 5n, b: Buffer.of(1) });
  });

  it('understands another implementation', () => {
    const packr = new Packr({ useRecords: false });
    const value = {
      i: [0, -1, 127, 128, 65_536, -40_000, 2 ** 31],
      d: 1.5,
      s: 'é',
      n: null,
      t: new Date(-1),
      big: 2n ** 62n,
    };
    const read = BSON.deserialize(decodeMessagePack(packr.pack(value)), { useBigInt64: true });
    assert.deepEqual(read, { ...value, i: [0, -1, 127, 128, 65_536, -40_000, 2n ** 31n] });
  });

  const refused: readonly [string, string][] = [
    ['nothing', ''],
    ['no map', '01'],
    ['an array', '90'],
    ['a map that ends early', '81a161'],
    ['a map of four thousand million fields', 'dfffffffff'],
    ['bytes behind the document', '8000'],
    ['a name that is no string', '8101c0'],
    ['a zero in a name', '81a100c0'],
    ['a byte that begins nothing', '81a161c1'],
    ['a string that is not UTF-8', '81a161a1ff'],
    ['a string beyond the end', '81a161dbffffffff'],
    ['an unsigned number beyond int64', '81a161cfffffffffffffffff'],
    ['an extension that nobody defined', '81a161d46300'],
    ['an object id of four bytes', '81a161d60700000000'],
    ['an object id with a field behind it', `81a161c70e07${'00'.repeat(12)}0a00`],
    ['a timestamp of two bytes', '81a161d5ff0000'],
    ['a timestamp with too many nanoseconds', '81a161d7ffffffffff00000000'],
    ['a timestamp beyond dates', `81a161c70cff00000000${'7f'.repeat(8)}`],
    ['a thousand arrays in each other', `81a161${'91'.repeat(1000)}c0`],
  ];
  for (const [name, bytes] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => decodeMessagePack(hex(bytes)), { name: 'CommandError' });
    });
  }

  it('is written down as it is', () => {
    const page = readFileSync(
      new URL('../../../docs/format/messagepack.md', import.meta.url),
      'utf8',
    );
    const rows = [...page.matchAll(/^\| `(.+?)` \| `([\da-f ]+)` \|$/gm)];
    assert.ok(rows.length >= 12);
    for (const [, text = '', bytes = ''] of rows) {
      const document = Buffer.from(BSON.serialize(BSON.EJSON.parse(text, { relaxed: false })));
      assert.equal(encodeMessagePack(document).toString('hex'), bytes.replaceAll(' ', ''), text);
    }
  });
});

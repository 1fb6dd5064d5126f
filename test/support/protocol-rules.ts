/**
 * The rules of the wire protocol, each with bytes that break it and what must come of that.
 *
 * Sources: MongoDB's manual, "MongoDB Wire Protocol"; bsonspec.org; the driver specifications "OP_MSG" and "OP_COMPRESSED"; the
 * behaviour of mongod 8.0, which closes the connection where the stream is lost, and else answers with an error and goes on.
 */
import { deflateSync } from 'node:zlib';
import { compressSync } from 'snappy';
import { Long, serialize, type Document } from 'bson';
import { crc32c } from '../../common/crc32c.ts';
import { prepareCompressors } from '../../wire/index.ts';
import { ZstdLibrary } from '../../common/compression/zstd-library.ts';

/**
 * What comes back: the reply's `code`, 'ok', 'closed' without a reply, 'http' for a page of text. After a code or 'ok' the
 * connection must still serve a ping.
 */
export type Expected = number | 'ok' | 'closed' | 'http';

export interface ProtocolRule {
  readonly family: string;
  readonly name: string;
  readonly expected: Expected;
  /** Compressors to agree on first. */
  readonly compressors?: readonly string[];
  /** Sent one after the other, with a pause of `pauseMs` between two. */
  readonly chunks: readonly Buffer[];
  readonly pauseMs?: number;
  /** The client never reads. */
  readonly readsNothing?: boolean;
}

const HEADER_BYTES = 16;
const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_COMPRESSED = 2012;
const OP_MSG = 2013;

const bson = (document: Document): Buffer => Buffer.from(serialize(document));
const int32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(number | 0);
  return bytes;
};
const cstring = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');

const PING = bson({ ping: 1, $db: 'admin' });

/** A message with a right header, unless it is told otherwise. */
function message(opCode: number, payload: Buffer, length = HEADER_BYTES + payload.length): Buffer {
  return Buffer.concat([int32(length), int32(7), int32(0), int32(opCode), payload]);
}

function section(kind: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(kind), payload]);
}

function opMsg(sections: readonly Buffer[], flags = 0): Buffer {
  const bits = Buffer.alloc(4);
  bits.writeUInt32LE(flags);
  return message(OP_MSG, Buffer.concat([bits, ...sections]));
}

const command = (document: Document): Buffer => opMsg([section(0, bson(document))]);

/** An OP_MSG whose body is these bytes, whatever they are. */
const body = (bytes: Buffer): Buffer => opMsg([section(0, bytes)]);

/** A document of elements as they are, with its right length. */
function documentOfBytes(elements: readonly Buffer[], length?: number): Buffer {
  const inner = Buffer.concat(elements);
  return Buffer.concat([int32(length ?? inner.length + 5), inner, Buffer.of(0)]);
}

const element = (type: number, name: string, value: Buffer): Buffer =>
  Buffer.concat([Buffer.of(type), cstring(name), value]);

/** A ping with one more element. */
const pingWith = (...elements: readonly Buffer[]): Buffer =>
  body(documentOfBytes([PING.subarray(4, PING.length - 1), ...elements]));

function sequence(identifier: Buffer, documents: readonly Buffer[], length?: number): Buffer {
  const inner = Buffer.concat([identifier, ...documents]);
  return section(1, Buffer.concat([int32(length ?? inner.length + 4), inner]));
}

function withChecksum(payload: Buffer): Buffer {
  const plain = opMsg([payload], 1);
  plain.writeInt32LE(plain.length + 4, 0);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32c(plain, 0, plain.length));
  return Buffer.concat([plain, sum]);
}

/** Documents in documents: each level adds its length, a type and a name in front, and an end behind. */
function nested(levels: number): Buffer {
  const perLevel = 8;
  const bytes = Buffer.alloc(5 + (levels - 1) * perLevel);
  for (let level = 0; level < levels; level += 1) {
    const start = level * 7;
    bytes.writeInt32LE(bytes.length - level * perLevel, start);
    if (level < levels - 1) bytes.write('\u0003a\0', start + 4, 'latin1');
  }
  return bytes;
}

interface Claim {
  readonly id: number;
  readonly bytes: number;
  readonly opCode?: number;
}

function compressed(data: Buffer, { id, bytes, opCode = OP_MSG }: Claim): Buffer {
  return message(OP_COMPRESSED, Buffer.concat([int32(opCode), int32(bytes), Buffer.of(id), data]));
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at] ^= 0x10;
  return copy;
}

function query(namespace: string, document: Buffer): Buffer {
  return message(
    OP_QUERY,
    Buffer.concat([int32(0), cstring(namespace), int32(0), int32(-1), document]),
  );
}

type Case = readonly [name: string, expected: Expected, ...chunks: readonly Buffer[]];

function family(
  name: string,
  cases: readonly Case[],
  more: Partial<ProtocolRule> = {},
): ProtocolRule[] {
  return cases.map(([what, expected, ...chunks]) => ({
    family: name,
    name: what,
    expected,
    chunks,
    ...more,
  }));
}

const REMOVED_OPCODES = [2001, 2002, 2006, 2007];
const UNKNOWN_OPCODES = [0, 2, 999, 1000, 2000, 2003, 2008, 2010, 2011, 2014, 65_535, -1, -2013];

function opCodes(): ProtocolRule[] {
  const payload = PING;
  return family('opcode', [
    ...REMOVED_OPCODES.map((code): Case => [`removed ${code}`, 'closed', message(code, payload)]),
    ...UNKNOWN_OPCODES.map((code): Case => [`unknown ${code}`, 'closed', message(code, payload)]),
    ['a reply from a client', 'closed', message(OP_REPLY, Buffer.concat([Buffer.alloc(20), PING]))],
  ]);
}

function lengths(): ProtocolRule[] {
  const wrong = [0, 1, 15, -1, -(2 ** 31), 48_000_001, 2 ** 31 - 1];
  return family('length', [
    ...wrong.map((length): Case => [`${length}`, 'closed', message(OP_MSG, PING, length)]),
    ['a header alone, of an OP_MSG', 'closed', message(OP_MSG, Buffer.alloc(0))],
    ['an OP_MSG that ends within its flags', 'closed', message(OP_MSG, Buffer.alloc(3))],
    [
      'shorter than what was sent',
      'closed',
      message(OP_MSG, Buffer.concat([int32(0), section(0, PING)]), 40),
    ],
  ]);
}

/** What never comes to its end: the deadline closes the connection. */
function halves(): ProtocolRule[] {
  const ping = command({ ping: 1, $db: 'admin' });
  const large = message(OP_MSG, Buffer.alloc(100), 47_000_000);
  return family('half message', [
    ['nothing at all', 'closed', Buffer.alloc(0)],
    ['one byte', 'closed', ping.subarray(0, 1)],
    ['15 bytes of a header', 'closed', ping.subarray(0, 15)],
    ['a header', 'closed', ping.subarray(0, 16)],
    ['all but the last byte', 'closed', ping.subarray(0, -1)],
    ['a header that announces 47 MB', 'closed', large],
    ['an end behind a whole message', 'closed', ping, ping.subarray(0, 20)],
  ]);
}

function slowSenders(): ProtocolRule[] {
  const ping = command({ ping: 1, $db: 'admin' });
  const bytes = [...ping].map((byte) => Buffer.of(byte));
  const large = [...Array(40).keys()].map((index) =>
    index === 0 ? message(OP_MSG, Buffer.alloc(1000), 40_000_000) : Buffer.alloc(1000),
  );
  return [
    ...family('slow sender', [['a byte at a time', 'closed', ...bytes]], { pauseMs: 100 }),
    ...family('slow sender', [['10 kB/s of 40 MB', 'closed', ...large]], { pauseMs: 100 }),
    ...family(
      'slow sender',
      [['one byte after each whole message', 'closed', ping, Buffer.of(1), ...bytes]],
      { pauseMs: 100 },
    ),
  ];
}

function nonReaders(): ProtocolRule[] {
  const large = command({ echo: 1, text: 'x'.repeat(1_000_000), $db: 'admin' });
  const small = command({ hostInfo: 1, $db: 'admin' });
  return [
    ...family(
      'non-reader',
      [
        ['of one large reply after the other', 'closed', ...Array<Buffer>(24).fill(large)],
        ['of many small replies', 'closed', Buffer.concat(Array<Buffer>(30_000).fill(small))],
      ],
      { readsNothing: true },
    ),
  ];
}

function checksums(): ProtocolRule[] {
  const good = withChecksum(section(0, PING));
  const short = opMsg([], 1);
  return family('checksum', [
    ['wrong in its first byte', 'closed', flipped(good, -4)],
    ['wrong in its last byte', 'closed', flipped(good, -1)],
    ['of another body', 'closed', flipped(good, 30)],
    ['of another request id', 'closed', flipped(good, 4)],
    ['announced and missing', 'closed', opMsg([section(0, PING)], 1)],
    ['announced, and nothing else there', 51_251, short],
    ['without its flag', 40_432, opMsg([section(0, PING), Buffer.of(9, 9, 9, 9)])],
  ]);
}

function flags(): ProtocolRule[] {
  const required = Array.from({ length: 14 }, (_, index) => index + 2);
  const optional = [17, 18, 20, 24, 30, 31];
  return family('flag bit', [
    ...required.map((bit): Case => [
      `required ${bit}`,
      'closed',
      opMsg([section(0, PING)], 2 ** bit),
    ]),
    ...optional.map((bit): Case => [`optional ${bit}`, 'ok', opMsg([section(0, PING)], 2 ** bit)]),
  ]);
}

function sections(): ProtocolRule[] {
  const one = bson({ _id: 1 });
  const insert = section(0, bson({ insert: 'c', $db: 'broken' }));
  const documents = cstring('documents');
  const withSequence = (...more: readonly Buffer[]): Buffer => opMsg([insert, ...more]);
  return family('section', [
    ['no section', 40_587, opMsg([])],
    ['a sequence and no body', 40_587, opMsg([sequence(documents, [one])])],
    ['two bodies', 40_430, opMsg([section(0, PING), section(0, PING)])],
    ['a security token', 13, opMsg([section(2, PING), section(0, PING)])],
    ...[3, 4, 127, 255].map((kind): Case => [`kind ${kind}`, 40_432, opMsg([section(kind, PING)])]),
    [
      'the same sequence twice',
      40_431,
      withSequence(sequence(documents, [one]), sequence(documents, [one])),
    ],
    [
      'three sequences',
      'closed',
      withSequence(...['a', 'b', 'c'].map((name) => sequence(cstring(name), [one]))),
    ],
    ['a sequence of length 0', 'closed', withSequence(sequence(documents, [one], 0))],
    ['a sequence of negative length', 'closed', withSequence(sequence(documents, [one], -5))],
    [
      'a sequence longer than the message',
      'closed',
      withSequence(sequence(documents, [one], 5000)),
    ],
    [
      'a sequence whose name does not end',
      'closed',
      withSequence(sequence(Buffer.from('documents'), [])),
    ],
    ['a sequence that ends within its length', 'closed', withSequence(section(1, Buffer.of(1, 0)))],
    [
      'a document cut off in a sequence',
      22,
      withSequence(sequence(documents, [one.subarray(0, -1)])),
    ],
    ['a document of length 3 in a sequence', 22, withSequence(sequence(documents, [int32(3)]))],
    [
      'a sequence for nothing',
      40_415,
      withSequence(sequence(documents, [one]), sequence(cstring('nothing'), [one])),
    ],
    [
      'a sequence beside its field',
      40_433,
      opMsg([
        section(0, bson({ insert: 'c', documents: [], $db: 'broken' })),
        sequence(documents, [one]),
      ]),
    ],
    ['bytes after the body', 40_432, opMsg([section(0, PING), Buffer.of(7)])],
    ['a body cut off', 22, opMsg([section(0, PING.subarray(0, 10))])],
    ['a body within its length', 22, opMsg([section(0, Buffer.of(5, 0))])],
    ['a body of length 4', 22, opMsg([section(0, int32(4))])],
    ['a body of negative length', 22, opMsg([section(0, int32(-20))])],
    [
      'a body longer than the message',
      22,
      opMsg([section(0, Buffer.concat([int32(900), PING.subarray(4)]))]),
    ],
  ]);
}

const text = (bytes: Buffer, length = bytes.length + 1): Buffer =>
  Buffer.concat([int32(length), bytes, Buffer.of(0)]);

function documents(): ProtocolRule[] {
  const invalid = Buffer.from([0xff, 0xfe]);
  const surrogate = Buffer.from([0xed, 0xa0, 0x80]);
  return family('BSON', [
    ['without its end', 22, body(Buffer.concat([PING.subarray(0, -1), Buffer.of(1)]))],
    ['an end before the end', 22, body(documentOfBytes([Buffer.of(0), PING.subarray(4, -1)]))],
    ['a name that does not end', 22, body(documentOfBytes([Buffer.from('\u0010ping')]))],
    ...[0x14, 0x20, 0x63, 0x80, 0xfe].map((type): Case => [
      `type ${type}`,
      22,
      pingWith(element(type, 'a', Buffer.alloc(8))),
    ]),
    ['a string of length 0', 22, pingWith(element(2, 'a', text(Buffer.alloc(0), 0)))],
    ['a string of negative length', 22, pingWith(element(2, 'a', text(Buffer.from('x'), -1)))],
    [
      'a string longer than the document',
      22,
      pingWith(element(2, 'a', text(Buffer.from('x'), 2 ** 30))),
    ],
    [
      'a string without its end',
      22,
      pingWith(element(2, 'a', Buffer.concat([int32(2), Buffer.from('xy')]))),
    ],
    ['a string that is no UTF-8', 22, pingWith(element(2, 'a', text(invalid)))],
    ['a lone surrogate', 22, pingWith(element(2, 'a', text(surrogate)))],
    [
      'a name that is no UTF-8',
      22,
      pingWith(Buffer.concat([Buffer.of(10), invalid, Buffer.of(0)])),
    ],
    ['a double cut off', 22, pingWith(element(1, 'a', Buffer.alloc(3)))],
    ['a decimal cut off', 22, pingWith(element(19, 'a', Buffer.alloc(15)))],
    ['an ObjectId cut off', 22, pingWith(element(7, 'a', Buffer.alloc(11)))],
    ['a boolean of 2', 22, pingWith(element(8, 'a', Buffer.of(2)))],
    ['a document inside, too long', 22, pingWith(element(3, 'a', documentOfBytes([], 500)))],
    ['a document inside, too short', 22, pingWith(element(3, 'a', documentOfBytes([], 4)))],
    [
      'an array without its end',
      22,
      pingWith(element(4, 'a', Buffer.concat([int32(5), Buffer.of(1)]))),
    ],
    [
      'binary data of negative length',
      22,
      pingWith(element(5, 'a', Buffer.concat([int32(-1), Buffer.of(0)]))),
    ],
    [
      'binary data longer than the document',
      22,
      pingWith(element(5, 'a', Buffer.concat([int32(999), Buffer.of(0)]))),
    ],
    [
      'a regular expression without options',
      22,
      pingWith(Buffer.concat([Buffer.of(11), cstring('a'), Buffer.from('abc')])),
    ],
    [
      'code with scope of a wrong length',
      22,
      pingWith(
        element(15, 'a', Buffer.concat([int32(3), text(Buffer.from('x')), documentOfBytes([])])),
      ),
    ],
    [
      'a DBPointer cut off',
      22,
      pingWith(element(12, 'a', Buffer.concat([text(Buffer.from('x')), Buffer.alloc(5)]))),
    ],
    ['nested 201 levels', 15, pingWith(element(3, 'a', nested(201)))],
    ['nested 1,000 levels', 15, pingWith(element(3, 'a', nested(1000)))],
    ['nested 100,000 levels', 15, pingWith(element(3, 'a', nested(100_000)))],
    [
      'a document of 17 MB',
      10_334,
      pingWith(element(2, 'a', text(Buffer.alloc(17 * 1024 * 1024, 'x')))),
    ],
  ]);
}

async function compression(): Promise<ProtocolRule[]> {
  await prepareCompressors(['zstd']);
  const zstd = await ZstdLibrary.load();
  const plain = Buffer.concat([Buffer.alloc(4), section(0, PING)]);
  const bytes = plain.length;
  const zeros = Buffer.alloc(40_000_000);
  const codecs = [
    { id: 1, name: 'snappy', pack: (data: Buffer) => compressSync(data) },
    { id: 2, name: 'zlib', pack: (data: Buffer) => deflateSync(data) },
    { id: 3, name: 'zstd', pack: (data: Buffer) => zstd.compress(data) },
  ] as const;
  const perCodec = codecs.flatMap(({ id, name, pack }) => {
    const data = pack(plain);
    const bomb = pack(zeros);
    return family(
      `compressed: ${name}`,
      [
        ['claims a byte more', 'closed', compressed(data, { id, bytes: bytes + 1 })],
        ['claims a byte less', 'closed', compressed(data, { id, bytes: bytes - 1 })],
        ['claims nothing', 'closed', compressed(data, { id, bytes: 0 })],
        ['claims a negative length', 'closed', compressed(data, { id, bytes: -1 })],
        [
          'claims more than a message may have',
          'closed',
          compressed(data, { id, bytes: 48_000_000 }),
        ],
        ['claims 40 MB in 50 bytes', 'closed', compressed(data, { id, bytes: 40_000_000 })],
        ['is damaged', 'closed', compressed(flipped(data, 0), { id, bytes })],
        ['is cut off', 'closed', compressed(data.subarray(0, -3), { id, bytes })],
        ['is empty', 'closed', compressed(Buffer.alloc(0), { id, bytes })],
        ['a bomb of 40 MB that claims 100 bytes', 'closed', compressed(bomb, { id, bytes: 100 })],
        ['a bomb of 40 MB that says so', 22, compressed(bomb, { id, bytes: zeros.length })],
        [
          'holds another compressed message',
          'closed',
          compressed(data, { id, bytes, opCode: OP_COMPRESSED }),
        ],
        ['holds an unknown opcode', 'closed', compressed(data, { id, bytes, opCode: 4 })],
      ],
      { compressors: [name] },
    );
  });
  return [
    ...perCodec,
    ...family('compressed', [
      ['not agreed on: snappy', 'closed', compressed(compressSync(plain), { id: 1, bytes })],
      ['not agreed on: zlib', 'closed', compressed(deflateSync(plain), { id: 2, bytes })],
      ['not agreed on: noop', 'closed', compressed(plain, { id: 0, bytes })],
      ['compressor 4', 'closed', compressed(plain, { id: 4, bytes })],
      ['compressor 255', 'closed', compressed(plain, { id: 255, bytes })],
      ['a header cut off', 'closed', message(OP_COMPRESSED, Buffer.alloc(8))],
    ]),
  ];
}

function legacy(): ProtocolRule[] {
  const hello = bson({ isMaster: 1 });
  return family('OP_QUERY', [
    ['a query on a collection', 5_739_101, query('a.b', bson({}))],
    ['a command that is no handshake', 352, query('admin.$cmd', bson({ ping: 1 }))],
    ['an empty command', 352, query('admin.$cmd', bson({}))],
    ['a document cut off', 22, query('admin.$cmd', hello.subarray(0, -2))],
    [
      'BSON of an unknown type',
      22,
      query('admin.$cmd', documentOfBytes([element(0x70, 'a', Buffer.alloc(4))])),
    ],
    [
      'a namespace that does not end',
      'closed',
      message(OP_QUERY, Buffer.concat([int32(0), Buffer.from('admin')])),
    ],
    [
      'OP_GET_MORE',
      5_739_101,
      message(2005, Buffer.concat([int32(0), cstring('a.b'), Buffer.alloc(12)])),
    ],
  ]);
}

function strangers(): ProtocolRule[] {
  const line = (words: string): Buffer => Buffer.from(`${words}\r\n\r\n`);
  const tls = (minor: number): Buffer =>
    Buffer.concat([Buffer.of(0x16, 3, minor, 1, 0, 1, 0, 0, 0xfc, 3, 3), Buffer.alloc(250, 7)]);
  return family('another protocol', [
    ...[
      'GET / HTTP/1.1',
      'HEAD / HTTP/1.0',
      'POST /db HTTP/1.1',
      'PUT /a HTTP/1.1',
      'OPTIONS * HTTP/1.1',
    ].map((request): Case => [`HTTP ${request.split(' ')[0]}`, 'http', line(request)]),
    ['HTTP/2', 'closed', line('PRI * HTTP/2.0')],
    ...[0, 1, 3, 4].map((minor): Case => [`TLS hello 3.${minor}`, 'closed', tls(minor)]),
    ['SSLv2 hello', 'closed', Buffer.concat([Buffer.of(0x80, 0x2e, 1, 0, 2), Buffer.alloc(43)])],
    ['SSH', 'closed', line('SSH-2.0-OpenSSH_9.6')],
    ['Redis', 'closed', Buffer.from('*1\r\n$4\r\nPING\r\n')],
    [
      'PostgreSQL',
      'closed',
      Buffer.concat([Buffer.of(0, 0, 0, 8, 4, 210, 22, 47), Buffer.alloc(20)]),
    ],
    ['SMTP', 'closed', line('EHLO mail.example.com')],
    ['bytes of 0xff', 'closed', Buffer.alloc(64, 0xff)],
    ['bytes of 0', 'closed', Buffer.alloc(64)],
  ]);
}

function commands(): ProtocolRule[] {
  const many = Array<Buffer>(100_001).fill(documentOfBytes([]));
  const insert = section(0, bson({ insert: 'c', $db: 'broken' }));
  const client = { driver: { name: 'x', version: '1' }, os: { type: 'x' } };
  const fields = (...elements: readonly Buffer[]): Buffer => body(documentOfBytes(elements));
  const ping = PING.subarray(4, -1);
  const database = bson({ $db: 'admin' }).subarray(4, -1);
  return family('command', [
    ['empty', 9, command({})],
    ['without $db', 40_571, command({ ping: 1 })],
    ['$db of a number', 14, command({ ping: 1, $db: 5 })],
    ['$db with a NUL', 73, command({ ping: 1, $db: 'a\0b' })],
    ['$db with a dot', 73, command({ ping: 1, $db: 'a.b' })],
    ['$db of 64 bytes', 73, command({ ping: 1, $db: 'x'.repeat(64) })],
    ['$db twice', 40_413, fields(ping, database)],
    ['a name that is none', 59, command({ noSuchCommand: 1, $db: 'admin' })],
    ['an unknown field', 40_415, command({ find: 'c', nope: 1, $db: 'broken' })],
    [
      'a field twice',
      40_413,
      fields(
        bson({ find: 'c', limit: 1 }).subarray(4, -1),
        bson({ limit: 2, $db: 'broken' }).subarray(4, -1),
      ),
    ],
    ['a missing field', 40_414, command({ insert: 'c', $db: 'broken' })],
    ['a wrong type', 14, command({ find: 'c', filter: 1, $db: 'broken' })],
    ['a write batch of 100,001', 16, opMsg([insert, sequence(cstring('documents'), many)])],
    ['lsid without an id', 40_414, command({ ping: 1, lsid: {}, $db: 'admin' })],
    [
      'txnNumber without lsid',
      72,
      command({ insert: 'c', documents: [{}], txnNumber: Long.ONE, $db: 'broken' }),
    ],
    ['maxTimeMS below 0', 2, command({ ping: 1, maxTimeMS: -1, $db: 'admin' })],
    ['apiVersion 2', 322, command({ ping: 1, apiVersion: '2', $db: 'admin' })],
    ['a namespace of 300 bytes', 73, command({ create: 'x'.repeat(300), $db: 'broken' })],
    [
      'client metadata without a driver',
      183,
      command({ hello: 1, client: { os: { type: 'x' } }, $db: 'admin' }),
    ],
    [
      'client metadata of 600 bytes',
      185,
      command({ hello: 1, client: { ...client, env: 'x'.repeat(600) }, $db: 'admin' }),
    ],
    [
      'a cursor that there is not',
      43,
      command({ getMore: Long.fromNumber(4711), collection: 'c', $db: 'broken' }),
    ],
  ]);
}

/** All of them; some take tens of megabytes to write down. */
export async function protocolRules(): Promise<ProtocolRule[]> {
  return [
    ...opCodes(),
    ...lengths(),
    ...halves(),
    ...slowSenders(),
    ...nonReaders(),
    ...checksums(),
    ...flags(),
    ...sections(),
    ...documents(),
    ...(await compression()),
    ...legacy(),
    ...strangers(),
    ...commands(),
  ];
}

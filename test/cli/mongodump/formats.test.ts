/**
 * The formats of mongodump, held to bytes that were typed from their description (docs/format/mongodump.md), not written
 * by this code.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { BSON } from 'mongodb';
import { ArchiveSource } from '../../../cli/mongodump/archive-source.ts';
import { ArchiveTarget } from '../../../cli/mongodump/archive-target.ts';
import type { DumpSource } from '../../../cli/mongodump/contract.ts';
import { Crc64 } from '../../../cli/mongodump/crc64.ts';
import { DirectorySource } from '../../../cli/mongodump/directory-source.ts';
import { collectionOfFileName, fileNameOf } from '../../../cli/mongodump/file-names.ts';
import { FailedCommand } from '../../../cli/command-line/subcommand.ts';
import { ByteSink } from '../../../cli/transfer/byte-sink.ts';
import type { NamespaceDescription } from '../../../cli/transfer/namespaces.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../support/programs.ts';
import { readProjectFile } from '../../tidy/source-tree.ts';

const { EJSON } = BSON;

/** The fenced block behind a heading of the page: hexadecimal digits, words behind two spaces left out. */
function typedBytes(heading: string): Buffer {
  const page = readProjectFile('docs/format/mongodump.md');
  const start = page.indexOf(`\n## ${heading}\n`);
  const block = /^```\n([^]*?)^```$/m.exec(page.slice(start))?.[1] ?? '';
  const digits = block.split('\n').map((line) => line.split('  ')[0] ?? '');
  return Buffer.from(digits.join('').replaceAll(' ', ''), 'hex');
}

const ITEMS: NamespaceDescription = {
  database: 'shop',
  collection: 'items',
  kind: 'collection',
  options: Buffer.from([5, 0, 0, 0, 0]),
  uuid: undefined,
  indexes: [],
};

describe('mongodump: an archive', () => {
  let directory = '';
  before(() => {
    directory = temporaryDirectory();
  });
  after(() => removeTemporaryDirectory(directory));

  const write = (bytes: Buffer): string => {
    const path = join(directory, `archive-${readdirSync(directory).length}`);
    writeFileSync(path, bytes);
    return path;
  };
  const read = async (bytes: Buffer): Promise<string[]> => {
    const source = await ArchiveSource.open(write(bytes));
    return eventsOf(source);
  };

  it('is written byte by byte as the page has it', async () => {
    const path = join(directory, 'written');
    const target = new ArchiveTarget(ByteSink.toFile(path), 'flint-0.1.0');
    await target.begin([ITEMS], '8.0.0');
    const sink = await target.open(ITEMS);
    await sink.write(Buffer.from(BSON.serialize({ _id: 1 })));
    await sink.end();
    await target.close();
    assert.equal(readFileSync(path).toString('hex'), typedBytes('Example').toString('hex'));
  });

  it('is read, plain and packed', async () => {
    const expected = ['shop.items {"_id":1}', 'shop.items ends'];
    assert.deepEqual(await read(typedBytes('Example')), expected);
    assert.deepEqual(await read(gzipSync(typedBytes('Example'))), expected);
  });

  it('is read when two collections lie in turns', async () => {
    const part = (name: string, ...ids: number[]): Buffer[] => [
      header(name, false, 0n),
      ...ids.map((id) => bson({ _id: id })),
      END,
    ];
    const events = await read(
      archive(
        ['a', 'b'],
        ...part('a', 1),
        ...part('b', 2),
        ...part('a', 3),
        ...end('a', 1, 3),
        ...end('b', 2),
      ),
    );
    assert.deepEqual(events, [
      's.a {"_id":1}',
      's.b {"_id":2}',
      's.a {"_id":3}',
      's.a ends',
      's.b ends',
    ]);
  });

  it('is refused when a bit of a document is wrong', async () => {
    const bytes = typedBytes('Example');
    const at = bytes.lastIndexOf(Buffer.from([0x10, 0x5f, 0x69, 0x64, 0x00])) + 5;
    bytes[at] ^= 4;
    await assert.rejects(read(bytes), /offset 336: the checksum of shop\.items is/);
  });

  it('is refused wherever it is cut off', async () => {
    const bytes = typedBytes('Example');
    for (let length = 0; length < bytes.length; length += 1) {
      await assert.rejects(read(bytes.subarray(0, length)), FailedCommand, `after ${length} bytes`);
    }
  });

  it('never becomes anything but a sentence when any byte is wrong', async () => {
    const bytes = typedBytes('Example');
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] ^= 0xff;
      await read(damaged).catch((error: unknown) =>
        assert.ok(error instanceof FailedCommand, String(error)),
      );
    }
  });

  it('is refused when a collection was not dumped to its end', async () => {
    await assert.rejects(
      read(archive(['a', 'b'], ...end('a'))),
      /before s\.b was whole: the dump was not finished/,
    );
    await assert.rejects(
      read(archive(['a'], header('a', false, 0n), bson({ _id: 1 }), END)),
      /before s\.a was whole/,
    );
  });

  it('is refused when it says what its prelude does not name, or goes on after an end', async () => {
    await assert.rejects(read(archive(['a'], ...end('b'))), /prelude does not name s\.b/);
    await assert.rejects(
      read(archive(['a'], ...end('a'), ...end('a'))),
      /s\.a goes on after its end/,
    );
    await assert.rejects(read(archive(['a'], END)), /a block begins with its end/);
  });

  it('says what of a MongoDB it leaves behind', async () => {
    const prelude = [
      bson({ db: '', collection: 'oplog', metadata: '', size: 0, type: '' }),
      bson({ db: 'admin', collection: 'system.users', metadata: '', size: 0, type: 'collection' }),
    ];
    const oplog = Buffer.from(BSON.serialize({ op: 'n' }));
    const crc = new Crc64().update(oplog).value;
    const bytes = Buffer.concat([
      MAGIC,
      bson({ version: '0.1' }),
      ...prelude,
      END,
      bson({ db: '', collection: 'oplog', EOF: false, CRC: 0n }),
      oplog,
      END,
      bson({ db: '', collection: 'oplog', EOF: true, CRC: crc }),
      END,
      bson({ db: 'admin', collection: 'system.users', EOF: true, CRC: 0n }),
      END,
    ]);
    const source = await ArchiveSource.open(write(bytes));
    assert.deepEqual(
      source.notes.map((note) => note.split(' ').slice(0, 4).join(' ')),
      ['The dump holds an', 'Users, roles and settings'],
    );
    assert.deepEqual(await eventsOf(source), []);
  });

  it('of another version is refused', async () => {
    const bytes = Buffer.concat([MAGIC, bson({ version: '0.2' }), END]);
    await assert.rejects(read(bytes), /has format version '0\.2'; only 0\.1 can be read/);
    await assert.rejects(read(Buffer.from('something else')), /is no archive of mongodump/);
  });
});

describe('mongodump: a directory', () => {
  let directory = '';
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => removeTemporaryDirectory(directory));

  const put = (path: string, bytes: Buffer | string): void => {
    mkdirSync(join(directory, path, '..'), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  };

  it('gives collections, time series and views with what their metadata say', async () => {
    const json = (fields: object): string => JSON.stringify({ indexes: [], ...fields });
    put('prelude.json', '{"ServerVersion":"8.0.4","ToolVersion":"100.12.0"}');
    put('s/a%2Fb.metadata.json', json({ collectionName: 'a/b', type: 'collection' }));
    put('s/a%2Fb.bson', bson({ _id: 1 }));
    put(
      's/t.metadata.json',
      json({ options: { timeseries: { timeField: 't' } }, collectionName: 't' }),
    );
    put('s/system.buckets.t.bson', bson({ _id: 2 }));
    put('s/v.metadata.json.gz', gzipSync(json({ options: { viewOn: 'a/b', pipeline: [] } })));
    put('s/old.bson', bson({ _id: 3 }));
    put('oplog.bson', bson({ op: 'n' }));
    const source = await DirectorySource.open(directory);
    assert.deepEqual(
      source.namespaces.map(({ collection, kind }) => `${collection}: ${kind}`).sort(),
      ['a/b: collection', 'old: collection', 't: timeseries', 'v: view'],
    );
    assert.equal(source.notes.length, 1);
    assert.deepEqual((await eventsOf(source)).sort(), [
      's.a/b ends',
      's.a/b {"_id":1}',
      's.old ends',
      's.old {"_id":3}',
      's.t ends',
      's.t {"_id":2}',
      's.v ends',
    ]);
  });

  it('that is none is refused, with what to give instead', async () => {
    await assert.rejects(
      DirectorySource.open(directory),
      /is no dump: it should hold one directory/,
    );
    put('items.bson', bson({}));
    await assert.rejects(DirectorySource.open(directory), /give the directory above/);
    await assert.rejects(DirectorySource.open(join(directory, 'none')), /cannot read .*ENOENT/);
  });

  it('names file and offset of what is no document', async () => {
    put('s/c.bson', Buffer.concat([bson({ _id: 1 }), Buffer.from([1, 2, 3])]));
    const source = await DirectorySource.open(directory);
    await assert.rejects(eventsOf(source), /c\.bson at offset 14 ends after 3 of 4 bytes/);
    put('s/c.bson', Buffer.concat([bson({ _id: 1 }), Buffer.from([3, 0, 0, 0])]));
    await assert.rejects(
      eventsOf(await DirectorySource.open(directory)),
      /offset 14: 3 is no length/,
    );
  });

  it('with metadata that are no JSON is refused with the file', async () => {
    put('s/c.metadata.json', '{"options":');
    await assert.rejects(
      DirectorySource.open(directory),
      /c\.metadata\.json is no metadata of mongodump/,
    );
  });
});

describe('mongodump: file names', () => {
  const names: [collection: string, file: string][] = [
    ['items', 'items'],
    ['a/b %ü', 'a%2Fb%20%25%C3%BC'],
    ['$&+=:@-_.~', '$&+=:@-_.~'],
    ["a;b,c?d!*'()", 'a%3Bb%2Cc%3Fd%21%2A%27%28%29'],
    ['x'.repeat(238), 'x'.repeat(238)],
  ];
  for (const [collection, file] of names) {
    it(`of ${collection.slice(0, 20)} is ${file.slice(0, 20)}`, () => {
      assert.equal(fileNameOf(collection), file);
      assert.equal(collectionOfFileName(file), collection);
    });
  }

  it('are shortened at 238 bytes, with a hash of the whole name', () => {
    const name = 'x'.repeat(239);
    // printf 'x%.0s' {1..239} | openssl sha1 -binary | basenc --base64url, without its '='.
    const expected = `${'x'.repeat(208)}%24Nq75d-cu3iRxNs-ce3Tvf9gagoU`;
    assert.equal(fileNameOf(name), expected);
    assert.equal(collectionOfFileName(expected), undefined);
  });
});

describe('mongodump: the checksum', () => {
  it('is that of the catalogue of CRCs', () => {
    // CRC-64/XZ, check value of "123456789".
    const { value } = new Crc64().update(Buffer.from('123456789'));
    assert.equal(BigInt.asUintN(64, value), 0x995dc9bbdf1939fan);
    assert.equal(new Crc64().value, 0n);
  });
});

const MAGIC = Buffer.from('6de29981', 'hex');
const END = Buffer.from('ffffffff', 'hex');

function bson(document: object): Buffer {
  return Buffer.from(BSON.serialize(document));
}

function header(collection: string, isEnd: boolean, crc: bigint): Buffer {
  return bson({ db: 's', collection, EOF: isEnd, CRC: BSON.Long.fromBigInt(crc) });
}

/** What closes a collection of documents with these ids. */
function end(collection: string, ...ids: number[]): Buffer[] {
  const crc = new Crc64();
  for (const id of ids) crc.update(bson({ _id: id }));
  return [header(collection, true, crc.value), END];
}

function archive(collections: readonly string[], ...blocks: Buffer[]): Buffer {
  const entries = collections.map((collection) =>
    bson({ db: 's', collection, metadata: '', size: 0, type: 'collection' }),
  );
  return Buffer.concat([MAGIC, bson({ version: '0.1' }), ...entries, END, ...blocks]);
}

async function eventsOf(source: DumpSource): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of source.events(() => true)) {
    const name = `${event.namespace.database}.${event.namespace.collection}`;
    seen.push(
      event.type === 'end'
        ? `${name} ends`
        : `${name} ${EJSON.stringify(BSON.deserialize(event.document))}`,
    );
  }
  return seen;
}

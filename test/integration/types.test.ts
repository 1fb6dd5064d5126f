/**
 * Every BSON type comes back as it went in, to the last byte: stored, and after a restart.
 *
 * The documents are the valid cases of the BSON corpus. They travel as raw bytes, so that no driver's decoding hides a change.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../common/clock.ts';
import { documentOf, getField } from '../../bson/index.ts';
import { MongoClient, type Document } from 'mongodb';
import { Connection } from '../../wire/index.ts';
import { Program } from '../support/programs.ts';
import { specFolder, SPEC_TESTS_ABSENT } from '../support/spec-tests.ts';

interface Case {
  readonly description: string;
  readonly bytes: Buffer;
}

const folder = specFolder('bson-corpus');

describe('the types of BSON', function () {
  if (folder === undefined) {
    it(`are not checked: ${SPEC_TESTS_ABSENT}`, function () {
      this.skip();
    });
    return;
  }
  const cases = corpusCases(folder);
  let program: Program;
  let connection: Connection;

  before(async () => {
    program = await Program.start();
    connection = await connect(program);
  });
  after(async () => {
    connection.close();
    await program.dispose();
  });

  it('are all there to be checked', () => {
    assert.ok(cases.length > 400, `${cases.length} cases`);
  });

  it('come back byte for byte, found by their number', async () => {
    for (const [number, { bytes }] of cases.entries()) {
      const stored = documentOf({ _id: number, value: bytes });
      await connection.command(documentOf({ insert: 'corpus', $db: 'types' }), {
        sequences: [{ identifier: 'documents', documents: [stored] }],
      });
    }
    await expectAll(connection, cases);
  });

  it('come back byte for byte from the block store, and after a restart', async () => {
    await connection.command(documentOf({ fsync: 1, $db: 'admin' }));
    await expectAll(connection, cases);
    connection.close();
    await program.stop();
    await program.restart();
    connection = await connect(program);
    await expectAll(connection, cases);
  });

  it('are found by an equal value', async () => {
    for (const [number, { description, bytes }] of cases.entries()) {
      // $eq: some cases look like operators.
      const filter = documentOf({ _id: number, value: documentOf({ $eq: bytes }) });
      const reply = await connection.command(documentOf({ find: 'corpus', filter, $db: 'types' }));
      assert.equal(
        firstDocument(reply)?.length,
        documentOf({ _id: number, value: bytes }).length,
        description,
      );
    }
  });

  it('come back through the driver with raw: true', async () => {
    const client = await new MongoClient(program.uri).connect();
    try {
      const found: readonly Document[] = await client
        .db('types')
        .collection('corpus')
        .find({}, { raw: true })
        .sort({ _id: 1 })
        .toArray();
      assert.equal(found.length, cases.length);
      for (const [number, { description, bytes }] of cases.entries()) {
        assert.ok(
          documentOf({ _id: number, value: bytes }).equals(asBytes(found[number])),
          description,
        );
      }
    } finally {
      await client.close();
    }
  });
});

/** With raw: true the driver gives bytes where its types say Document. */
function asBytes(document: unknown): Uint8Array {
  assert.ok(document instanceof Uint8Array, 'a document is missing');
  return document;
}

function corpusCases(path: string): Case[] {
  return readdirSync(path)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .flatMap((name) => {
      const file: {
        readonly description: string;
        readonly valid?: readonly {
          readonly description: string;
          readonly canonical_bson: string;
        }[];
      } = JSON.parse(readFileSync(join(path, name), 'utf8'));
      return (file.valid ?? []).map((each) => ({
        description: `${file.description}: ${each.description}`,
        bytes: Buffer.from(each.canonical_bson, 'hex'),
      }));
    });
}

function connect(program: Program): Promise<Connection> {
  return Connection.connect({
    address: { host: '127.0.0.1', port: program.port },
    clock: systemClock,
    metadata: { driver: { name: 'flintdb-test', version: '1' } },
  });
}

/** Compares what a find by `_id` gives with what was inserted. */
async function expectAll(connection: Connection, cases: readonly Case[]): Promise<void> {
  for (const [number, { description, bytes }] of cases.entries()) {
    const filter = documentOf({ _id: number });
    const reply = await connection.command(documentOf({ find: 'corpus', filter, $db: 'types' }));
    const found = firstDocument(reply);
    assert.equal(
      found?.toString('hex'),
      documentOf({ _id: number, value: bytes }).toString('hex'),
      description,
    );
  }
}

function firstDocument(reply: Buffer): Buffer | undefined {
  const cursor = getField(reply, 'cursor')?.asDocument();
  const batch = cursor === undefined ? undefined : getField(cursor, 'firstBatch')?.asDocument();
  return batch === undefined ? undefined : getField(batch, '0')?.asDocument();
}

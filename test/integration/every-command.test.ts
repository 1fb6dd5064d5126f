/**
 * Every command with arguments that it does not expect: an error of MongoDB's kinds, never an internal one, and never silence.
 */
import assert from 'node:assert/strict';
import {
  Binary,
  Code,
  Decimal128,
  Double,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  type Document,
} from 'bson';
import { SeededRandom } from '../../common/random.ts';
import { createCommandTable } from '../../server/commands/index.ts';
import { RawClient } from '../server/raw-client.ts';
import { serverForTests } from '../support/test-server.ts';

/** They stop the server, or hold its writes back. */
const NOT_SENT = new Set(['shutdown', 'fsync', 'fsyncUnlock', 'configureFailPoint', 'sleep']);

const VALUES: readonly unknown[] = [
  1,
  0,
  -1,
  new Double(Number.NaN),
  new Double(1e300),
  Long.MIN_VALUE,
  Decimal128.fromString('-0'),
  '',
  'c',
  'a.b',
  'system.x',
  '$cmd',
  'x'.repeat(300),
  true,
  false,
  null,
  undefined,
  [],
  [1],
  [{}],
  ['c', 'c'],
  {},
  { a: 1 },
  { find: 'c' },
  { $db: 'x' },
  new ObjectId(),
  new Binary(Buffer.alloc(16), 4),
  new Binary(Buffer.alloc(3)),
  new Date(0),
  /x/,
  new Timestamp({ t: 1, i: 1 }),
  new MinKey(),
  new MaxKey(),
  new Code('x'),
];

/** Names of arguments that many commands have. */
const ARGUMENTS = [
  'filter',
  'query',
  'documents',
  'updates',
  'deletes',
  'pipeline',
  'cursor',
  'key',
  'indexes',
  'index',
  'collation',
  'hint',
  'sort',
  'let',
  'to',
  'collectionUUID',
  'writeConcern',
  'readConcern',
  'maxTimeMS',
  'batchSize',
  'scale',
  'cursors',
  'collection',
  'min',
  'confirm',
  'update',
  'remove',
  'fields',
  'projection',
  'limit',
  'skip',
  'name',
  'indexNames',
  'options',
  'validator',
  'viewOn',
  'capped',
  'size',
  'timeseries',
  'expireAfterSeconds',
  'map',
  'reduce',
  'out',
  'ops',
  'nsInfo',
  'dropTarget',
  'full',
  'verbosity',
  'level',
  'slowms',
  'toCollection',
  'indexNames',
  'commitQuorum',
  'keyPattern',
  'root',
  'apiParameters',
  'comment',
  'lsid',
  'apiStrict',
  'apiVersion',
  '$readPreference',
  'txnNumber',
];

const RANDOM_COMMANDS = 60;

describe('every command', () => {
  const server = serverForTests({ args: ['--testing'] });
  const names = createCommandTable()
    .all()
    .map(({ name }) => name)
    .filter((name) => !NOT_SENT.has(name));

  it('answers whatever stands in it, and never with an internal error', async function () {
    this.timeout(60_000);
    const client = await RawClient.open(server.program.port);
    const internal: string[] = [];
    const send = async (command: Document): Promise<void> => {
      const reply = await client.run(command);
      const name = Object.keys(command)[0];
      if (reply['code'] === 1 || reply['codeName'] === 'InternalError') {
        internal.push(`${name}: ${JSON.stringify(command).slice(0, 200)}: ${reply['errmsg']}`);
      }
      assert.ok(reply['ok'] === 1 || typeof reply['code'] === 'number', name);
      // What the command does not know hides what it knows.
      const [, unknown] = /field '\w+\.([$\w]+)' is an unknown field/.exec(reply['errmsg']) ?? [];
      if (unknown === undefined || !(unknown in command)) return;
      const { [unknown]: _left, ...known } = command;
      await send(known);
    };
    const documents = Array.from({ length: 20 }, (_, _id) => ({ _id, a: [_id, 'x'], b: { c: 1 } }));
    const random = new SeededRandom(4);
    const oneOf = <Item>(items: readonly Item[]): Item => items[random.below(items.length)];
    for (const name of names) {
      await client.run({ insert: 'c', documents, ordered: false, $db: 'odd' });
      for (let count = 0; count < RANDOM_COMMANDS; count += 1) {
        const command: Document = { [name]: 'c', maxTimeMS: 2000 };
        for (let left = 4 + random.below(12); left > 0; left -= 1) {
          command[oneOf(ARGUMENTS)] = oneOf(VALUES) ?? null;
        }
        await send({ ...command, $db: count % 4 === 0 ? 'admin' : 'odd' });
      }
      for (const [index, value] of VALUES.entries()) {
        const $db = index % 2 === 0 ? 'admin' : 'odd';
        await send({ [name]: value ?? null, maxTimeMS: 2000, $db });
        const argument = ARGUMENTS[index % ARGUMENTS.length] ?? 'filter';
        const other = VALUES[(index * 7) % VALUES.length] ?? null;
        await send({ [name]: 'c', [argument]: other, $db: 'odd' });
      }
    }
    assert.deepEqual(internal, []);
    client.close();
  });
});

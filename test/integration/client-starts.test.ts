/**
 * What shells and tools send before their user has done anything, replayed as raw messages: no error but those that they expect.
 *
 * The commands are those of mongosh 2, MongoDB Compass 1.4x, mongostat and mongotop 100.x, mongodb_exporter 0.4x and mongodump.
 */
import assert from 'node:assert/strict';
import { Binary, Double, Long, type Document } from 'bson';
import { RawClient } from '../server/raw-client.ts';
import { serverForTests } from '../support/test-server.ts';

/** A command, and the code of the error that the tool expects from a standalone community server. */
type Step = readonly [command: Document, expected?: number];

const lsid = { id: new Binary(Buffer.alloc(16, 3), Binary.SUBTYPE_UUID) };

const hello = (application: string, driver: string): Document => ({
  ismaster: 1,
  helloOk: true,
  client: {
    application: { name: application },
    driver: { name: driver, version: '6.16.0' },
    platform: 'Node.js v20.19.0, LE',
    os: { name: 'linux', architecture: 'x64', version: '6.1', type: 'Linux' },
  },
  compression: ['none'],
});

const MONGOSH: readonly Step[] = [
  [hello('mongosh 2.5.0', 'nodejs|mongosh')],
  [{ hello: 1 }],
  [{ ping: 1, lsid }],
  [{ buildInfo: 1, lsid }],
  [{ getParameter: 1, featureCompatibilityVersion: 1, lsid }],
  [{ getCmdLineOpts: 1, lsid }],
  [{ connectionStatus: 1, showPrivileges: true, lsid }],
  [{ atlasVersion: 1, lsid }, 59],
  [{ getLog: 'startupWarnings', lsid }],
  [{ getFreeMonitoringStatus: 1, lsid }, 59],
  [{ hostInfo: 1, lsid }],
  [{ whatsmyuri: 1, lsid }],
  [{ listDatabases: 1, nameOnly: false, lsid }],
  [
    {
      listCollections: 1,
      filter: {},
      cursor: {},
      nameOnly: true,
      authorizedCollections: true,
      lsid,
      $db: 'work',
    },
  ],
  [{ isMaster: 1, lsid, $readPreference: { mode: 'primaryPreferred' } }],
  [{ replSetGetStatus: 1, lsid }, 76],
  [{ serverStatus: 1, lsid }],
  [{ listCommands: 1, lsid }],
  [{ getParameter: '*', lsid }],
  [{ endSessions: [lsid] }],
];

const COMPASS: readonly Step[] = [
  [hello('MongoDB Compass', 'nodejs|compass')],
  [{ connectionStatus: 1, showPrivileges: true, lsid }],
  [{ getCmdLineOpts: 1, lsid }],
  [{ hostInfo: 1, lsid }],
  [{ buildInfo: 1, lsid }],
  [{ getParameter: 1, featureCompatibilityVersion: 1, lsid }],
  [{ atlasVersion: 1, lsid }, 59],
  [{ serverStatus: 1, lsid }],
  [{ top: 1, lsid }],
  [{ listDatabases: 1, nameOnly: true, authorizedDatabases: true, lsid }],
  [{ dbStats: 1, lsid, $db: 'work' }],
  [{ listCollections: 1, nameOnly: false, cursor: {}, lsid, $db: 'work' }],
  [{ collStats: 'people', verbose: 1, lsid, $db: 'work' }],
  [
    {
      aggregate: 'people',
      pipeline: [{ $collStats: { storageStats: {} } }],
      cursor: {},
      lsid,
      $db: 'work',
    },
  ],
  [{ aggregate: 'people', pipeline: [{ $indexStats: {} }], cursor: {}, lsid, $db: 'work' }],
  [{ listIndexes: 'people', cursor: {}, lsid, $db: 'work' }],
  [
    { aggregate: 'people', pipeline: [{ $listSearchIndexes: {} }], cursor: {}, lsid, $db: 'work' },
    31_082,
  ],
  [
    {
      aggregate: 'people',
      pipeline: [{ $match: {} }, { $group: { _id: 1, n: { $sum: 1 } } }],
      cursor: {},
      maxTimeMS: 5000,
      lsid,
      $db: 'work',
    },
  ],
  [
    {
      find: 'people',
      filter: {},
      limit: 20,
      maxTimeMS: 60_000,
      lsid,
      $db: 'work',
    },
  ],
  [{ count: 'people', query: {}, maxTimeMS: 5000, lsid, $db: 'work' }],
  [
    {
      aggregate: 'people',
      pipeline: [{ $sample: { size: 1000 } }],
      cursor: {},
      allowDiskUse: true,
      lsid,
      $db: 'work',
    },
  ],
  [
    {
      explain: { find: 'people', filter: { name: 'Ada' }, lsid },
      verbosity: 'allPlansExecution',
      $db: 'work',
    },
  ],
  [
    {
      aggregate: 1,
      pipeline: [{ $currentOp: { allUsers: true, localOps: false } }],
      cursor: {},
      lsid,
    },
  ],
  [{ currentOp: 1, $all: false, lsid }],
];

const MONGOSTAT: readonly Step[] = [
  [hello('mongostat', 'mongo-go-driver')],
  [{ buildInfo: 1, lsid }],
  [{ serverStatus: 1, recordStats: 0, lsid }],
  [{ isMaster: 1, lsid }],
  [{ serverStatus: 1, recordStats: 0, lsid }],
];

const MONGOTOP: readonly Step[] = [
  [hello('mongotop', 'mongo-go-driver')],
  [{ isMaster: 1, lsid }],
  [{ top: 1, lsid }],
  [{ serverStatus: 1, lsid }],
];

const EXPORTER: readonly Step[] = [
  [hello('mongodb_exporter', 'mongo-go-driver')],
  [{ getDiagnosticData: 1, lsid }],
  [{ buildInfo: 1, lsid }],
  [{ getParameter: 1, featureCompatibilityVersion: 1, lsid }],
  [{ getCmdLineOpts: new Double(1), lsid }],
  [{ isMaster: 1, lsid }],
  [{ replSetGetStatus: 1, lsid }, 76],
  [{ dbStats: 1, scale: 1, freeStorage: 1, lsid, $db: 'work' }],
  [
    {
      aggregate: 'people',
      pipeline: [
        { $collStats: { latencyStats: { histograms: true }, storageStats: { scale: 1 } } },
      ],
      cursor: {},
      lsid,
      $db: 'work',
    },
  ],
  [
    {
      aggregate: 1,
      pipeline: [{ $currentOp: { allUsers: true, idleConnections: true } }],
      cursor: {},
      lsid,
    },
  ],
  [{ connPoolStats: 1, lsid }],
];

const MONGODUMP: readonly Step[] = [
  [hello('mongodump', 'mongo-go-driver')],
  [{ buildInfo: 1, lsid }],
  [{ isMaster: 1, lsid }],
  [{ getParameter: 1, featureCompatibilityVersion: 1, lsid }],
  [{ listDatabases: 1, nameOnly: true, filter: {}, lsid }],
  [{ listCollections: 1, filter: {}, cursor: {}, lsid, $db: 'work' }],
  [{ listIndexes: 'people', cursor: {}, lsid, $db: 'work' }],
  [{ count: 'people', lsid, $db: 'work' }],
  [
    {
      find: 'people',
      filter: {},
      hint: { _id: 1 },
      noCursorTimeout: true,
      batchSize: 1,
      lsid,
      $db: 'work',
    },
  ],
];

const TOOLS = { MONGOSH, COMPASS, MONGOSTAT, MONGOTOP, EXPORTER, MONGODUMP };

describe('what tools send when they start', () => {
  const server = serverForTests();

  before(async () => {
    const people = server.client.db('work').collection('people');
    await people.insertMany([{ name: 'Ada' }, { name: 'Grace' }]);
  });

  for (const [tool, steps] of Object.entries(TOOLS)) {
    it(`is answered as ${tool.toLowerCase()} expects`, async () => {
      const client = await RawClient.open(server.program.port);
      try {
        for (const [command, expected] of steps) {
          const reply = await client.run({ ...command, $db: command['$db'] ?? 'admin' });
          const name = Object.keys(command)[0];
          assert.equal(reply['code'], expected, `${name}: ${reply['errmsg']}`);
        }
      } finally {
        client.close();
      }
    });
  }

  it('has the figures that mongostat prints', async () => {
    const client = await RawClient.open(server.program.port);
    const status = await client.run({ serverStatus: 1, $db: 'admin' });
    client.close();
    for (const path of [
      'opcounters.insert',
      'opcounters.query',
      'opcounters.update',
      'opcounters.delete',
      'opcounters.getmore',
      'opcounters.command',
      'network.bytesIn',
      'network.bytesOut',
      'network.numRequests',
      'connections.current',
      'globalLock.currentQueue.readers',
      'globalLock.currentQueue.writers',
      'globalLock.activeClients.readers',
      'globalLock.activeClients.writers',
      'mem.resident',
      'mem.virtual',
      'extra_info.page_faults',
      'asserts.user',
      'uptimeMillis',
    ]) {
      const value = path
        .split('.')
        .reduce<Document | undefined>((part, name) => part?.[name], status);
      assert.ok(typeof value === 'number' || Long.isLong(value), path);
    }
  });
});

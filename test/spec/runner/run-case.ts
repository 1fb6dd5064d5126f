/**
 * Runs one case: initial data, entities, operations, then events, log messages and the data that must be left.
 */
import type { MongoClient } from 'mongodb';
import { Entities } from './entities.ts';
import { assertEvents } from './events.ts';
import {
  ExpectationError,
  type CollectionData,
  type EntityDefinition,
  type TestCase,
  type TestFile,
} from './format.ts';
import { assertLogMessages } from './log-messages.ts';
import { assertSameDocuments } from './match.ts';
import type { OperationContext } from './operation-context.ts';
import { runOperation } from './run-operation.ts';

/** The server that cases run against, and the runner's own client of it. */
export interface ServerUnderTest {
  readonly uri: string;
  readonly internal: MongoClient;
}

const MAJORITY = { writeConcern: { w: 'majority' } } as const;

/**
 * Resolves when the case passes.
 * @param timeoutMs for all of it; then whatever still runs is cut off, so that the server is free for the next case.
 * @throws what is wrong with it otherwise.
 */
export async function runCase(
  file: TestFile,
  test: TestCase,
  { uri, internal }: ServerUnderTest,
  timeoutMs: number,
): Promise<void> {
  await internal.db('admin').command({ killAllSessions: [] });
  if (file.initialData === undefined) await dropDatabases(internal, file.createEntities ?? []);
  for (const data of file.initialData ?? []) await insertData(internal, data);
  const entities = new Entities(uri);
  const failPoints = new Set<string>();
  try {
    const context: OperationContext = {
      entities,
      internal,
      run: (operation) => runOperation(operation, context),
      failPointSet: (name) => failPoints.add(name),
    };
    await withinTime(runSteps(file, test, context), timeoutMs);
  } finally {
    for (const name of failPoints) await turnOff(internal, name);
    await entities.close();
  }
}

async function runSteps(file: TestFile, test: TestCase, context: OperationContext): Promise<void> {
  const { entities, internal } = context;
  await entities.create(file.createEntities ?? []);
  for (const operation of test.operations) await runOperation(operation, context);
  for (const expected of test.expectEvents ?? []) await assertEvents(expected, entities);
  for (const expected of test.expectLogMessages ?? []) await assertLogMessages(expected, entities);
  for (const data of test.outcome ?? []) await assertOutcome(internal, data);
}

async function withinTime(running: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new ExpectationError(`it did not end within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    await Promise.race([running, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

const OF_THE_SERVER = new Set(['admin', 'config', 'local']);

/** A file without data of its own may not meet what other files left in databases of the same name. */
async function dropDatabases(
  internal: MongoClient,
  entities: readonly EntityDefinition[],
): Promise<void> {
  for (const { database } of entities) {
    const name = String(database?.['databaseName'] ?? 'admin');
    if (!OF_THE_SERVER.has(name)) await internal.db(name).dropDatabase();
  }
}

async function insertData(internal: MongoClient, data: CollectionData): Promise<void> {
  const database = internal.db(data.databaseName);
  const collection = database.collection(data.collectionName);
  await collection.drop(MAJORITY);
  if (data.documents.length === 0 || data.createOptions !== undefined) {
    await database.createCollection(data.collectionName, { ...data.createOptions, ...MAJORITY });
  }
  if (data.documents.length === 0) return;
  await collection.insertMany(
    data.documents.map((document) => ({ ...document })),
    MAJORITY,
  );
}

async function assertOutcome(internal: MongoClient, data: CollectionData): Promise<void> {
  const collection = internal.db(data.databaseName).collection(data.collectionName);
  const documents = await collection.find({}, { sort: { _id: 1 } }).toArray();
  const what = `the data left in ${data.databaseName}.${data.collectionName}`;
  assertSameDocuments(data.documents, documents, what);
}

async function turnOff(internal: MongoClient, name: string): Promise<void> {
  await internal.db('admin').command({ configureFailPoint: name, mode: 'off' });
}

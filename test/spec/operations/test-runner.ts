/**
 * Operations on `testRunner`: what a case asks of the runner itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientSession, Document, MongoClient } from 'mongodb';
import type { Entities } from '../runner/entities.ts';
import { eventDifference, waitUntil } from '../runner/events.ts';
import { ExpectationError, MalformedCaseError } from '../runner/format.ts';
import { assertMatches } from '../runner/match.ts';
import type { OperationContext } from '../runner/operation-context.ts';
import { tableOf } from './definition.ts';

const EVENT_TIMEOUT_MS = 10_000;
const THREAD_TIMEOUT_MS = 10_000;

export const TEST_RUNNER_OPERATIONS = tableOf<undefined>([
  {
    name: 'assertCollectionExists',
    requires: ['databaseName', 'collectionName'],
    run: async (_target, args, { internal }) =>
      expectThat(await hasCollection(internal, args), 'the collection does not exist'),
  },
  {
    name: 'assertCollectionNotExists',
    requires: ['databaseName', 'collectionName'],
    run: async (_target, args, { internal }) =>
      expectThat(!(await hasCollection(internal, args)), 'the collection exists'),
  },
  {
    name: 'assertDifferentLsidOnLastTwoCommands',
    requires: ['client'],
    run: (_target, { client }, { entities }) =>
      expectThat(!isSameLsid(entities, client), 'the last two commands share a session'),
  },
  {
    name: 'assertEventCount',
    requires: ['client', 'event', 'count'],
    run: (_target, { client, event, count }, { entities }) => {
      const found = countEvents(entities, client, event);
      expectThat(found === count, `there are ${found} such events, not ${count}`);
    },
  },
  {
    name: 'assertIndexExists',
    requires: ['databaseName', 'collectionName', 'indexName'],
    run: async (_target, args, { internal }) =>
      expectThat(await hasIndex(internal, args), 'the index does not exist'),
  },
  {
    name: 'assertIndexNotExists',
    requires: ['databaseName', 'collectionName', 'indexName'],
    run: async (_target, args, { internal }) =>
      expectThat(!(await hasIndex(internal, args)), 'the index exists'),
  },
  {
    name: 'assertNumberConnectionsCheckedOut',
    requires: ['client', 'connections'],
    run: (_target, { client, connections }, { entities }) => {
      const { checkedOut } = entities.client(client);
      expectThat(checkedOut === connections, `${checkedOut} connections are checked out`);
    },
  },
  {
    name: 'assertSameLsidOnLastTwoCommands',
    requires: ['client'],
    run: (_target, { client }, { entities }) =>
      expectThat(isSameLsid(entities, client), 'the last two commands have different sessions'),
  },
  {
    name: 'assertSessionDirty',
    requires: ['session'],
    run: (_target, { session }) => expectThat(isDirty(session), 'the session is not dirty'),
  },
  {
    name: 'assertSessionNotDirty',
    requires: ['session'],
    run: (_target, { session }) => expectThat(!isDirty(session), 'the session is dirty'),
  },
  {
    name: 'createEntities',
    requires: ['entities'],
    run: (_target, args, { entities }) => entities.create(args['entities']),
  },
  {
    name: 'failPoint',
    requires: ['client', 'failPoint'],
    run: (_target, { client, failPoint }, context) =>
      setFailPoint(context.entities.client(client).client, failPoint, context),
  },
  {
    name: 'runOnThread',
    requires: ['thread', 'operation'],
    run: (_target, { thread, operation }, { entities, run }) => {
      entities.thread(thread).run(() => run(operation));
    },
  },
  {
    name: 'wait',
    requires: ['ms'],
    run: (_target, { ms }) => sleep(ms),
  },
  {
    name: 'waitForEvent',
    requires: ['client', 'event', 'count'],
    run: async (_target, { client, event, count }, { entities }) => {
      const hasCome = (): boolean => countEvents(entities, client, event) >= count;
      expectThat(await waitUntil(hasCome, EVENT_TIMEOUT_MS), 'the event does not come');
    },
  },
  {
    name: 'waitForThread',
    requires: ['thread'],
    run: (_target, { thread }, { entities }) => entities.thread(thread).finished(THREAD_TIMEOUT_MS),
  },
]);

function expectThat(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new ExpectationError(otherwise);
}

async function setFailPoint(
  client: MongoClient,
  failPoint: Document,
  context: OperationContext,
): Promise<void> {
  context.failPointSet(String(failPoint['configureFailPoint']));
  await client.db('admin').command(failPoint);
}

function countEvents(entities: Entities, client: unknown, event: Document): number {
  return entities
    .client(client)
    .events.filter((each) => eventDifference(event, each, entities) === undefined).length;
}

function isSameLsid(entities: Entities, client: unknown): boolean {
  const started = entities
    .client(client)
    .events.filter(({ name }) => name === 'commandStartedEvent')
    .slice(-2);
  if (started.length < 2) throw new MalformedCaseError('there were not two commands');
  const [first, second] = started.map(({ event }) => event['command']?.['lsid']);
  try {
    assertMatches(first, second, entities, 'lsid');
    return true;
  } catch {
    return false;
  }
}

/** A session of the server that met a network error, and is not used again. */
function isDirty(session: ClientSession): boolean {
  return session.serverSession.isDirty;
}

async function hasCollection(internal: MongoClient, args: Document): Promise<boolean> {
  const filter = { name: args['collectionName'] };
  const found = await internal.db(args['databaseName']).listCollections(filter).toArray();
  return found.length > 0;
}

async function hasIndex(internal: MongoClient, args: Document): Promise<boolean> {
  if (!(await hasCollection(internal, args))) return false;
  const collection = internal.db(args['databaseName']).collection(args['collectionName']);
  const indexes = await collection.listIndexes().toArray();
  return indexes.some(({ name }) => name === args['indexName']);
}

/**
 * expectEvents: what a client was seen to do.
 */
import type { Document } from 'mongodb';
import type { Entities } from './entities.ts';
import { ExpectationError, type ExpectedEvent, type ExpectedEvents } from './format.ts';
import { differenceOf } from './match.ts';
import type { ObservedEvent } from './observed-client.ts';

/** Heartbeats, pools and unacknowledged commands may come a moment after the operation. */
const LATE_MS = 2_000;
const PAUSE_MS = 5;

/** @throws ExpectationError that names the first event that is missing, or other than expected, or too many. */
export async function assertEvents(expected: ExpectedEvents, entities: Entities): Promise<void> {
  const client = entities.client(expected.client);
  const kind = expected.eventType ?? 'command';
  await waitUntil(() => client.eventsOf(kind).length >= expected.events.length, LATE_MS);
  const actual = client.eventsOf(kind);
  const names = actual.map(({ name, event }) => `${name}(${String(event['commandName'] ?? '')})`);
  for (const [index, event] of expected.events.entries()) {
    const difference = eventDifference(event, actual.at(index), entities);
    if (difference === undefined) continue;
    throw new ExpectationError(
      `event ${index} of ${expected.client}: ${difference}; there were ${names.join(', ') || 'none'}`,
    );
  }
  if (expected.ignoreExtraEvents !== true && actual.length > expected.events.length) {
    throw new ExpectationError(
      `${expected.client} has ${actual.length} events, not ${expected.events.length}: ${names.join(', ')}`,
    );
  }
}

/** The first difference between an event and what is expected of it. */
export function eventDifference(
  expected: ExpectedEvent,
  actual: ObservedEvent | undefined,
  entities: Entities,
): string | undefined {
  const [[name, fields]] = Object.entries(expected);
  if (actual === undefined) return `no ${name}`;
  if (actual.name !== name) return `a ${actual.name}, not a ${name}`;
  for (const [field, value] of Object.entries(fields)) {
    const difference = fieldDifference(field, value, actual.event, entities);
    if (difference !== undefined) return `${name}.${field}: ${difference}`;
  }
  return undefined;
}

function fieldDifference(
  field: string,
  expected: unknown,
  event: Document,
  entities: Entities,
): string | undefined {
  if (field === 'hasServiceId') return presence(expected, event['serviceId']);
  if (field === 'hasServerConnectionId') return presence(expected, event['serverConnectionId']);
  return differenceOf(expected, event[field] ?? undefined, entities);
}

function presence(expected: unknown, value: unknown): string | undefined {
  const isThere = value !== undefined && value !== null;
  return isThere === expected ? undefined : isThere ? 'it is there' : 'it is not there';
}

/** Looks again and again. @returns whether it became true in time. */
export async function waitUntil(isTrue: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!isTrue()) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return true;
}

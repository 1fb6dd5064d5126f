/**
 * expectLogMessages: what a client was seen to log.
 */
import type { Document } from 'mongodb';
import type { Entities } from './entities.ts';
import { waitUntil } from './events.ts';
import { ExpectationError, type ExpectedLogMessage, type ExpectedLogMessages } from './format.ts';
import { differenceOf } from './match.ts';

const LATE_MS = 2_000;

/** @throws ExpectationError that names the first message that is missing, or other than expected, or too many. */
export async function assertLogMessages(
  expected: ExpectedLogMessages,
  entities: Entities,
): Promise<void> {
  const { logMessages } = entities.client(expected.client);
  const wanted = expected.messages;
  const heeded = (): Document[] =>
    logMessages.filter(
      (message) =>
        !(expected.ignoreMessages ?? []).some(
          (ignored) => messageDifference(ignored, message, entities) === undefined,
        ),
    );
  await waitUntil(() => heeded().length >= wanted.length, LATE_MS);
  const actual = heeded();
  const texts = actual.map((message) => String(message['message'])).join(', ');
  for (const [index, message] of wanted.entries()) {
    const difference = messageDifference(message, actual.at(index), entities);
    if (difference === undefined) continue;
    throw new ExpectationError(`log message ${index}: ${difference}; there were ${texts}`);
  }
  if (expected.ignoreExtraMessages !== true && actual.length > wanted.length) {
    throw new ExpectationError(
      `there are ${actual.length} log messages, not ${wanted.length}: ${texts}`,
    );
  }
}

function messageDifference(
  expected: ExpectedLogMessage,
  actual: Document | undefined,
  entities: Entities,
): string | undefined {
  if (actual === undefined) return 'none';
  const { t: _time, c: component, s: severity, ...data } = actual;
  if (severity !== expected.level) return `its severity is ${severity}`;
  if (component !== expected.component) return `its component is ${component}`;
  if (expected.failureIsRedacted !== undefined) {
    const isRedacted = isRedactedFailure(data['failure']);
    if (isRedacted !== expected.failureIsRedacted) return `redacted is ${isRedacted}`;
  }
  return differenceOf(expected.data, data, entities);
}

/** A redacted failure keeps the reply's code, its name and labels, and says nothing else of it. */
function isRedactedFailure(failure: unknown): boolean {
  return typeof failure === 'string' && failure.includes('(redacted)');
}

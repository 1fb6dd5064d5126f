/**
 * Runs one operation of a case and compares its result or error with what is expected.
 */
import { perform } from '../operations/index.ts';
import { assertError } from './expect-error.ts';
import { ExpectationError, MalformedCaseError, type Operation } from './format.ts';
import { assertMatches } from './match.ts';
import type { OperationContext } from './operation-context.ts';
import { plainResult } from './plain-result.ts';

/** @throws MalformedCaseError, ExpectationError, or what the driver threw and nobody expected. */
export async function runOperation(operation: Operation, context: OperationContext): Promise<void> {
  const { name, expectError, expectResult, ignoreResultAndError, saveResultAsEntity } = operation;
  let result: unknown;
  try {
    result = await perform(operation, context);
  } catch (error) {
    // What the runner itself found wrong inside, in a callback or on a thread, is nobody's expectation.
    if (error instanceof MalformedCaseError || error instanceof ExpectationError) throw error;
    if (ignoreResultAndError === true) return;
    if (expectError === undefined) throw error;
    assertError(error, expectError, context.entities);
    return;
  }
  if (expectError !== undefined) {
    throw new ExpectationError(`${name} succeeded, and an error was expected`);
  }
  const plain = plainResult(result);
  if (Object.hasOwn(operation, 'expectResult') && ignoreResultAndError !== true) {
    const actual = plain ?? (expectResult === null ? null : undefined);
    assertMatches(expectResult, actual, context.entities, `the result of ${name}`);
  }
  if (saveResultAsEntity !== undefined) context.entities.add(saveResultAsEntity, plain);
}

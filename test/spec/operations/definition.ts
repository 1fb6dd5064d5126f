/**
 * How an operation of the format is defined: its name, what it needs, and what it does to its target.
 */
import type { Document } from 'mongodb';
import { MalformedCaseError } from '../runner/format.ts';
import type { OperationContext } from '../runner/operation-context.ts';

export interface OperationDefinition<Target> {
  readonly name: string;
  /** Arguments without which the case is malformed. */
  readonly requires: readonly string[];
  /** @param args with sessions in the place of their names. */
  readonly run: (target: Target, args: Document, context: OperationContext) => unknown;
}

/** The operations of one kind of target, by name. */
export type OperationTable<Target> = ReadonlyMap<string, OperationDefinition<Target>>;

export function tableOf<Target>(
  definitions: readonly OperationDefinition<Target>[],
): OperationTable<Target> {
  return new Map(definitions.map((definition) => [definition.name, definition]));
}

/** Runs an operation of the table. @throws MalformedCaseError when it is not there, or lacks an argument. */
export function runFrom<Target>(
  table: OperationTable<Target>,
  call: { readonly name: string; readonly target: Target; readonly args: Document },
  context: OperationContext,
): unknown {
  const definition = table.get(call.name);
  if (definition === undefined) {
    throw new MalformedCaseError(`operation '${call.name}' is not known for its object`);
  }
  const missing = definition.requires.find((name) => !Object.hasOwn(call.args, name));
  if (missing !== undefined) {
    throw new MalformedCaseError(`operation '${call.name}' lacks the argument '${missing}'`);
  }
  return definition.run(call.target, call.args, context);
}

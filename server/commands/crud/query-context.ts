/**
 * The context that an operation's filters, updates and pipelines are compiled in: its time, its `let`, its collation.
 */
import { EMPTY_DOCUMENT, RawValue, arrayValue, dateValue, fieldsOf } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  compileCollation,
  compileExpression,
  type QueryContext,
  Scope,
} from '../../../query/index.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

export interface ContextOptions {
  /** The command's `let`: names to expressions without fields of documents. */
  readonly variables?: Buffer | undefined;
  readonly collation?: Buffer | undefined;
}

export function queryContext(op: OperationContext, options: ContextOptions = {}): QueryContext {
  const variables = new Map<string, RawValue>([
    ['NOW', dateValue(op.startedWallMs)],
    ['USER_ROLES', NO_ROLES],
  ]);
  const { clock, random } = op.service;
  const collator =
    options.collation === undefined ? undefined : compileCollation(options.collation);
  const context: QueryContext =
    collator === undefined ? { variables, clock, random } : { collator, variables, clock, random };
  if (options.variables === undefined) return context;
  // Each expression may use the variables before it, so they join the map one by one.
  for (const [name, expression] of fieldsOf(options.variables)) {
    checkVariableName(name);
    const value = compileExpression(expression, context).evaluate(new Scope(EMPTY_DOCUMENT));
    if (value !== undefined) variables.set(name, value);
  }
  return context;
}

const NO_ROLES = arrayValue(EMPTY_DOCUMENT);

/** User variables begin with a lower-case letter (or any other than ASCII). Source: MongoDB's manual, "Variables". */
function checkVariableName(name: string): void {
  if (/^[a-z\u0080-\uffff][\w\u0080-\uffff]*$/u.test(name)) return;
  throw new CommandError(
    'FailedToParse',
    `'${name}' starts with an invalid character for a user variable name`,
  );
}

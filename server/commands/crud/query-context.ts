/**
 * The context that an operation's filters, updates and pipelines are compiled in: its time, its `let`, its collation.
 */
import {
  BsonType,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  type Collator,
  type RawValue,
  arrayValue,
  dateValue,
  fieldsOf,
  getField,
  isEmpty,
} from '../../../bson/index.ts';
import type { Interruption } from '../../../common/interruption.ts';
import type { Clock } from '../../../common/clock.ts';
import { CommandError } from '../../../common/errors.ts';
import type { Random } from '../../../common/random.ts';
import {
  compileCollation,
  compileExpression,
  type Ownership,
  type PlannerServices,
  type PlanObserver,
  planQuery,
  type QueryContext,
  Scope,
  Scripts,
  ScriptsNeeded,
  simpleContext,
} from '../../../query/index.ts';
import type { CollectionDescription } from '../../../storage/index.ts';
import { NotPrepared } from '../../command/not-prepared.ts';
import type { OperationContext } from '../../operation/operation-context.ts';

export interface ContextOptions {
  /** The command's `let`: names to expressions without fields of documents. */
  readonly variables?: Buffer | undefined;
  readonly collation?: Buffer | undefined;
  /** The collection or view that the operation is about: without a collation of its own it uses the default one there. */
  readonly collection?: CollectionDescription | undefined;
  /** mapReduce's own expressions may be used. */
  readonly isMapReduce?: boolean;
  /** The filter is no query: it may contain no scripts. */
  readonly withoutScripts?: boolean;
  /** Fields that scripts find as globals. */
  readonly scriptScope?: Buffer | undefined;
}

export function queryContext(op: OperationContext, options: ContextOptions = {}): QueryContext {
  const context = new OperationQueryContext(op, collatorOf(options), options);
  if (options.variables === undefined) return context;
  const prepared = PREPARED.get(op);
  // Each expression may use the variables before it, so they join the map one by one.
  for (const [name, expression] of fieldsOf(options.variables)) {
    checkVariableName(name);
    const known = prepared?.get(name);
    const value = known === undefined ? variableOf(expression, context, op, options) : known.value;
    context.variables.set(name, value);
  }
  return context;
}

function variableOf(
  expression: RawValue,
  context: QueryContext,
  op: OperationContext,
  options: ContextOptions,
): RawValue | undefined {
  try {
    return compileExpression(expression, context).evaluate(new Scope(EMPTY_DOCUMENT));
  } catch (error) {
    if (!(error instanceof ScriptsNeeded)) throw error;
    throw new NotPrepared(() => prepareVariables(op, options));
  }
}

type Variable = { readonly value: RawValue | undefined };

/** The values of an operation's `let` when scripts are in it. */
const PREPARED = new WeakMap<OperationContext, ReadonlyMap<string, Variable>>();

async function prepareVariables(op: OperationContext, options: ContextOptions): Promise<void> {
  const context = new OperationQueryContext(op, collatorOf(options), options);
  const prepared = new Map<string, Variable>();
  for (const [name, expression] of fieldsOf(options.variables ?? EMPTY_DOCUMENT)) {
    const compiled = compileExpression(expression, context);
    const evaluate = (): RawValue | undefined => compiled.evaluate(new Scope(EMPTY_DOCUMENT));
    const session = context.scripts?.running;
    const value = session === undefined ? evaluate() : await session.repeat(evaluate, op);
    context.variables.set(name, value);
    prepared.set(name, { value });
  }
  context.scripts?.running?.close();
  PREPARED.set(op, prepared);
}

/** @throws CommandError OptionNotSupportedOnView for a view that has another collation */
function collatorOf({ collation: given, collection }: ContextOptions): Collator | undefined {
  const byDefault = defaultCollationOf(collection);
  // An empty document says nothing, as in MongoDB.
  const collation = given === undefined || isEmpty(given) ? undefined : given;
  const wanted = collation ?? byDefault;
  const collator = wanted === undefined ? undefined : compileCollation(wanted);
  if (collection?.kind !== 'view' || collation === undefined) return collator;
  const own = byDefault === undefined ? undefined : compileCollation(byDefault);
  // Collators are made once per set of options.
  if (own === collator) return collator;
  throw new CommandError('OptionNotSupportedOnView', "Cannot override a view's default collation");
}

/** Of a collection or view; undefined for the simple one, which most have. */
export function defaultCollationOf(
  collection: CollectionDescription | undefined,
): Buffer | undefined {
  if (collection === undefined || isEmpty(collection.options)) return undefined;
  return getField(collection.options, 'collation')?.asDocument();
}

/** Makes the map of variables when it is first asked for: most filters name none. */
class OperationQueryContext implements QueryContext {
  readonly collator?: Collator | undefined;
  readonly clock: Clock;
  readonly planner: PlannerServices;
  readonly ownership: Ownership | undefined;
  readonly indexHints: QueryContext['indexHints'];
  readonly observer: PlanObserver;
  private readonly plainRandom: Random;
  private readonly startedWallMs: number;
  private readonly op: OperationContext;
  private readonly options: ContextOptions;
  private known: Map<string, RawValue | undefined> | undefined;
  private knownScripts: Scripts | undefined;

  constructor(op: OperationContext, collator: Collator | undefined, options: ContextOptions) {
    this.collator = collator;
    this.clock = op.service.clock;
    this.plainRandom = op.service.random;
    this.planner = op.service.planner;
    this.ownership = op.ownership;
    this.indexHints = op.indexHints;
    this.observer = op.report;
    this.startedWallMs = op.startedWallMs;
    this.op = op;
    this.options = options;
  }

  /** Scripts see the same random arguments however often an expression is tried. */
  get random(): Random {
    return this.knownScripts?.running?.random ?? this.plainRandom;
  }

  get scripts(): Scripts | undefined {
    const { op, options } = this;
    const threads = op.service.scripts;
    if (threads === undefined || options.withoutScripts === true) return undefined;
    return (this.knownScripts ??= new Scripts(threads, {
      random: this.plainRandom,
      ...(options.isMapReduce === true ? { isMapReduce: true } : {}),
      globals: (interruption) => scriptGlobals(op, options.scriptScope, interruption),
    }));
  }

  get variables(): Map<string, RawValue | undefined> {
    this.known ??= new Map<string, RawValue | undefined>([
      ['NOW', dateValue(this.startedWallMs)],
      ['USER_ROLES', NO_ROLES],
    ]);
    return this.known;
  }
}

/** What scripts find besides MongoDB's own functions: those stored in system.js, and the scope that the command gave. */
async function scriptGlobals(
  op: OperationContext,
  scope: Buffer | undefined,
  interruption: Interruption,
): Promise<readonly Buffer[]> {
  const { engine } = op.service;
  const globals: Buffer[] = [];
  const view = engine.snapshot();
  try {
    const stored = view.collection(`${op.database}.system.js`);
    if (stored !== undefined) {
      const context = simpleContext(op.service.clock, op.service.random);
      const plan = planQuery(view, stored, { filter: EMPTY_DOCUMENT }, context);
      const executor = plan.open(view, interruption, { ...op.planOptions });
      for (let next = await executor.next(); next !== undefined; next = await executor.next()) {
        const name = getField(next, '_id');
        const value = getField(next, 'value');
        if (name?.type === BsonType.string && value !== undefined) {
          globals.push(new DocumentBuilder().append(name.asString(), value).finish());
        }
      }
      executor.close();
    }
  } finally {
    view.close();
  }
  if (scope !== undefined) globals.push(scope);
  return globals;
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

/**
 * What every compilation of a query, update, projection or pipeline is given from outside.
 *
 * Owns: the context type and the smallest contexts for callers that have no session.
 * Promises: nothing in query/ takes time, randomness, a collation or a variable from anywhere else.
 */
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { Collator, RawValue } from '../bson/index.ts';
import type { PlannerServices, PlanObserver } from './planner/planner-services.ts';
import type { Scripts } from './script/scripts.ts';

/**
 * Variables whose value is fixed for the whole operation: those of `let`, and the system's NOW, CLUSTER_TIME,
 * USER_ROLES. ROOT, CURRENT, REMOVE and those of $let, $map, $filter, $reduce belong to the expression's scope.
 * Names are without the two dollars; a name that is not there is an undefined variable (error 17276
 * at compilation), undefined as a value is a missing value.
 */
export type Variables = ReadonlyMap<string, RawValue | undefined>;

/**
 * Which documents of one collection this server answers for, when it is a shard: what a migration left behind, or has brought and not
 * yet given over, is there and does not count.
 */
export interface Ownership {
  readonly namespace: string;
  owns(document: Buffer): boolean;
  /** A plan that filters by it is open from now on. @returns ends that */
  use(): () => void;
}

/** Given to every compile function; immutable, shared by all parts of one operation. */
export interface QueryContext {
  /** Absent: the simple binary collation. */
  readonly collator?: Collator;
  readonly variables: Variables;
  readonly clock: Clock;
  readonly random: Random;
  /** Plan cache and usage of indexes of the server; absent: nothing is kept between operations. */
  readonly planner?: PlannerServices;
  /** Is told which plans run for this operation. */
  readonly observer?: PlanObserver;
  /** Absent: JavaScript is switched off, or has no place here. */
  readonly scripts?: Scripts | undefined;
  /** Absent: every document counts. */
  readonly ownership?: Ownership | undefined;
  /** Names or key patterns of the indexes that may be used, by namespace; where none of them is there, all may. Absent: all. */
  readonly indexHints?: ReadonlyMap<string, readonly (string | Buffer)[]> | undefined;
}

/** What filters the documents of this collection, if anything does. */
export function ownershipOf(context: QueryContext, namespace: string): Ownership | undefined {
  return context.ownership?.namespace === namespace ? context.ownership : undefined;
}

/** The same context with other variables: everything else is asked of `context`, whatever it is made of. */
export function withVariables(context: QueryContext, variables: Variables): QueryContext {
  const derived: QueryContext = Object.create(context, { variables: { value: variables } });
  return derived;
}

export const NO_VARIABLES: Variables = new Map();

/** A context without collation and variables. */
export function simpleContext(clock: Clock, random: Random): QueryContext {
  return { variables: NO_VARIABLES, clock, random };
}

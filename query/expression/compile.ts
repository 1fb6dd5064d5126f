/**
 * Compiles an aggregation expression to a closure over raw documents.
 *
 * Promises: names, argument counts and paths are checked here, once per query; constants are folded; evaluation allocates
 * only the values it makes. An operator is known here only through its definition.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  dateValue,
  DocumentBuilder,
  documentValue,
  FieldCursor,
  fieldsOf,
  getField,
  inspect,
  NULL,
  type RawValue,
  stringValue,
} from '../../bson/index.ts';
import { tassert, uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { collationSpecOf } from '../collation/collation.ts';
import type { QueryContext } from '../context.ts';
import type { ExpressionCompiler, ExpressionDefinition, Value } from './definition.ts';
import type { Evaluate, Expression } from './expression.ts';
import type { LongCall } from './evaluation-threads.ts';
import { splitFieldPath, valueAtPath, valueBelow } from './field-path.ts';
import { LARGE_VALUE_BYTES, noteLoop, noteOperands, runLongCall } from './long-work.ts';
import { findExpression } from './registry.ts';
import { Scope } from './scope.ts';
import { isNullish, typeNameOf } from './types.ts';

/** @throws CommandError 168 for an unknown operator, 16020 for a wrong number of arguments, 17276 for an unknown variable. */
export function compileExpression(value: RawValue, context: QueryContext): Expression {
  return new Compiler(context, new Map(), { next: 0 }).compile(value);
}

const NO_PATHS: ReadonlySet<string> = new Set();
const EMPTY_SCOPE = new Scope(Buffer.from([5, 0, 0, 0, 0]));

class Compiler implements ExpressionCompiler {
  readonly context: QueryContext;
  /** Slots of the variables in scope. */
  private readonly slots: ReadonlyMap<string, number>;
  private readonly counter: { next: number };

  constructor(
    context: QueryContext,
    slots: ReadonlyMap<string, number>,
    counter: { next: number },
  ) {
    this.context = context;
    this.slots = slots;
    this.counter = counter;
  }

  compile(value: RawValue): Expression {
    if (value.type === BsonType.string) return this.compileString(value);
    if (value.type === BsonType.object) return this.compileObject(value);
    if (value.type === BsonType.array) return this.compileArray(value);
    return this.constant(value);
  }

  withVariables(names: readonly string[]): { compiler: ExpressionCompiler; slots: number[] } {
    const slots = names.map(() => this.counter.next++);
    const inner = new Map(this.slots);
    names.forEach((name, index) => inner.set(name, slots[index]!));
    return { compiler: new Compiler(this.context, inner, this.counter), slots };
  }

  constant(value: Value): Expression {
    return { evaluate: () => value, constant: { value }, paths: NO_PATHS };
  }

  combine(
    parts: readonly Expression[],
    evaluate: Evaluate,
    options: { readonly pure?: boolean; readonly readsAll?: boolean } = {},
  ): Expression {
    if (options.pure !== false && areSmallConstants(parts)) {
      const folded = tryFold(evaluate);
      if (folded !== undefined) return this.constant(folded.value);
    }
    return { evaluate, paths: options.readsAll === true ? undefined : unionOfPaths(parts) };
  }

  private compileString(value: RawValue): Expression {
    const text = value.asString();
    if (text.startsWith('$$')) return this.compileVariable(text.slice(2));
    if (text.startsWith('$')) return this.compileFieldPath(text.slice(1));
    return this.constant(value);
  }

  private compileFieldPath(text: string): Expression {
    uassert(text.length > 0, 16872, "'$' by itself is not a valid FieldPath");
    const parts = splitFieldPath(text);
    const current = this.slots.get('CURRENT');
    if (current !== undefined) return slotPath(current, parts, 0);
    return documentPath(text, parts);
  }

  private compileVariable(text: string): Expression {
    uassert(text.length > 0, 'FailedToParse', 'empty variable names are not allowed');
    const [name, ...path] = text.split('.');
    checkVariableName(name!);
    const parts = path.length === 0 ? [] : splitFieldPath(path.join('.'));
    const slot = this.slots.get(name!);
    if (slot !== undefined) return slotPath(slot, parts, 0);
    if (name === 'ROOT' || name === 'CURRENT') return rootPath(parts);
    const value = this.systemOrUserVariable(name!);
    return this.constant(valueBelow(value, parts, 0));
  }

  private systemOrUserVariable(name: string): Value {
    const { variables } = this.context;
    if (variables.has(name)) return variables.get(name);
    switch (name) {
      case 'REMOVE':
        return undefined;
      case 'NOW':
        return dateValue(this.context.clock.wallMs());
      case 'DESCEND':
      case 'PRUNE':
      case 'KEEP':
        return stringValue(name.toLowerCase());
      case 'USER_ROLES':
        return arrayValue(new ArrayBuilder().finish());
      case 'CLUSTER_TIME':
        throw new CommandError(51144, "Builtin variable '$$CLUSTER_TIME' is not available");
      default:
        throw new CommandError(17276, `Use of undefined variable: ${name}`);
    }
  }

  private compileArray(value: RawValue): Expression {
    if (holdsOnlyPlainValues(value)) return this.constant(value);
    const items = [...fieldsOf(value.asDocument())].map(([, item]) => this.compile(item));
    return this.combine(items, (scope) => {
      const result = new ArrayBuilder();
      for (const item of items) result.push(item.evaluate(scope) ?? NULL);
      return arrayValue(result.finish());
    });
  }

  private compileObject(value: RawValue): Expression {
    const fields = [...fieldsOf(value.asDocument())];
    const first = fields[0];
    if (first?.[0].startsWith('$') !== true) return this.compileFields(fields);
    if (fields.length > 1) {
      const shown = inspect(value.asDocument());
      throw new CommandError(
        15983,
        `an expression specification must contain exactly one field, the name of the expression. Found ${fields.length} fields in ${shown}`,
      );
    }
    return this.compileOperator(first[0], first[1]);
  }

  private compileFields(fields: readonly [string, RawValue][]): Expression {
    const members = fields.map(([name, value]) => {
      checkObjectField(name);
      return { name, expression: this.compile(value) };
    });
    const parts = members.map((member) => member.expression);
    return this.combine(parts, (scope) => {
      const result = new DocumentBuilder();
      for (const member of members) {
        const item = member.expression.evaluate(scope);
        if (item !== undefined) result.append(member.name, item);
      }
      return documentValue(result.finish());
    });
  }

  private compileOperator(name: string, argument: RawValue): Expression {
    const definition = findExpression(name);
    if (definition === undefined) {
      throw new CommandError('InvalidPipelineOperator', `Unrecognized expression '${name}'`);
    }
    if (definition.isLong === true) return this.compileLong(definition, argument);
    return compileNative(definition, argument, this);
  }

  /** Operands go into slots first: when they are large, they go to another thread from there. */
  private compileLong(definition: ExpressionDefinition, argument: RawValue): Expression {
    const operands = new Operands(this, () => this.counter.next++);
    const native = compileNative(definition, argument, operands);
    noteOperands(operands.count);
    if (native.constant !== undefined) return native;
    const { name } = definition;
    const owner = {};
    const describe = (scope: Scope): LongCall => ({
      operator: name,
      argument,
      operands: operands.valuesIn(scope),
      collation: collationSpecOf(this.context.collator),
    });
    const evaluate: Evaluate = (scope) =>
      operands.evaluate(scope) <= LARGE_VALUE_BYTES
        ? native.evaluate(scope)
        : runLongCall(
            scope.document,
            owner,
            () => describe(scope),
            () => native.evaluate(scope),
          );
    return { evaluate, paths: native.paths };
  }
}

/** The operator itself, of operands that `compiler` compiles. */
function compileNative(
  definition: ExpressionDefinition,
  argument: RawValue,
  compiler: ExpressionCompiler,
): Expression {
  if (definition.args === 'special') return definition.compile(argument, compiler);
  const operands = operandsOf(argument).map((operand) => compiler.compile(operand));
  checkCount(definition, operands.length);
  const options = definition.pure === undefined ? {} : { pure: definition.pure };
  return compiler.combine(operands, bind(definition, operands, compiler.context), options);
}

/**
 * Works an operator out on the values of its operands.
 * @param argument as it was compiled: read for what in it is no operand
 * @param values in the order in which compiling the argument compiles the operands
 * @throws CommandError as the operator does
 */
export function evaluateOperator(
  name: string,
  argument: RawValue,
  values: readonly Value[],
  context: QueryContext,
): Value {
  const definition = findExpression(name);
  tassert(definition !== undefined, 'evaluateOperator: an operator is unknown');
  const outer = new Compiler(context, new Map(), { next: 0 });
  let next = 0;
  const known: ExpressionCompiler = {
    context,
    compile: () => outer.constant(values[next++]),
    withVariables: noVariables,
    constant: (value) => outer.constant(value),
    combine: (_, evaluate) => ({ evaluate, paths: undefined }),
  };
  return compileNative(definition, argument, known).evaluate(new Scope(EMPTY_SCOPE.document));
}

function noVariables(): never {
  throw new TypeError('an operator on large values has no variables of its own');
}

/** The operands of an operator that may take long: evaluated once each, into slots of their own. */
class Operands implements ExpressionCompiler {
  readonly context: QueryContext;
  private readonly outer: Compiler;
  private readonly nextSlot: () => number;
  private readonly operands: { readonly expression: Expression; readonly slot: number }[] = [];

  constructor(outer: Compiler, nextSlot: () => number) {
    this.outer = outer;
    this.context = outer.context;
    this.nextSlot = nextSlot;
  }

  get count(): number {
    return this.operands.length;
  }

  compile(value: RawValue): Expression {
    const expression = this.outer.compile(value);
    const slot = this.nextSlot();
    this.operands.push({ expression, slot });
    if (expression.constant !== undefined) return expression;
    return { evaluate: (scope) => scope.slots[slot], paths: expression.paths };
  }

  withVariables(): never {
    return noVariables();
  }

  constant(value: Value): Expression {
    return this.outer.constant(value);
  }

  combine(...given: Parameters<ExpressionCompiler['combine']>): Expression {
    return this.outer.combine(...given);
  }

  /** Fills the slots. @returns the bytes of all values. */
  evaluate(scope: Scope): number {
    let bytes = 0;
    for (const { expression, slot } of this.operands) {
      const value = expression.evaluate(scope);
      scope.slots[slot] = value;
      if (value !== undefined) bytes += value.end - value.start;
    }
    return bytes;
  }

  valuesIn(scope: Scope): readonly Value[] {
    return this.operands.map(({ slot }) => scope.slots[slot]);
  }
}

/** {$op: x} and {$op: [x]} mean the same for an operator of one argument. */
function operandsOf(argument: RawValue): RawValue[] {
  if (argument.type !== BsonType.array) return [argument];
  return [...fieldsOf(argument.asDocument())].map(([, item]) => item);
}

type Positional = Exclude<ExpressionDefinition, { args: 'special' }>;

function checkCount(definition: Positional, given: number): void {
  const { args, name } = definition;
  if (typeof args === 'number') {
    if (given === args) return;
    throw new CommandError(
      16020,
      `Expression ${name} takes exactly ${args} arguments. ${given} were passed in.`,
    );
  }
  const [min, max] = args;
  if (given >= min && given <= max) return;
  throw new CommandError(
    28667,
    `Expression ${name} takes at least ${min} arguments, and at most ${max}, but ${given} were passed in.`,
  );
}

function bind(
  definition: Positional,
  operands: readonly Expression[],
  context: QueryContext,
): Evaluate {
  if (definition.args === 1) return bindUnary(definition, operands[0]!.evaluate, context);
  if (definition.args === 2) {
    return bindBinary(definition, operands[0]!.evaluate, operands[1]!.evaluate, context);
  }
  const { evaluate } = definition;
  const evaluators = operands.map((operand) => operand.evaluate);
  return (scope) => {
    const values = evaluators.map((operand) => operand(scope));
    for (const value of values) checkType(definition, value);
    return evaluate(values, context);
  };
}

function bindUnary(
  definition: Extract<Positional, { args: 1 }>,
  operand: Evaluate,
  context: QueryContext,
): Evaluate {
  if (definition.nullish === 'pass') {
    const { evaluate } = definition;
    return (scope) => {
      const value = operand(scope);
      checkType(definition, value);
      return evaluate(value, context);
    };
  }
  const { evaluate } = definition;
  return (scope) => {
    const value = operand(scope);
    if (value === undefined || value.isNullish) return NULL;
    checkType(definition, value);
    return evaluate(value, context);
  };
}

function bindBinary(
  definition: Extract<Positional, { args: 2 }>,
  left: Evaluate,
  right: Evaluate,
  context: QueryContext,
): Evaluate {
  if (definition.nullish === 'pass') {
    const { evaluate } = definition;
    return (scope) => {
      const a = left(scope);
      const b = right(scope);
      checkType(definition, a);
      checkType(definition, b);
      return evaluate(a, b, context);
    };
  }
  const { evaluate } = definition;
  return (scope) => {
    const a = left(scope);
    const b = right(scope);
    if (a === undefined || b === undefined || a.isNullish || b.isNullish) return NULL;
    checkType(definition, a);
    checkType(definition, b);
    return evaluate(a, b, context);
  };
}

function checkType(definition: Positional, value: Value): void {
  const { accepts, wrongType } = definition;
  if (accepts === undefined || wrongType === undefined) return;
  if (isNullish(value) || accepts.accepts(value)) return;
  throw new CommandError(
    wrongType,
    `${definition.name} only supports ${accepts.words} types, not ${typeNameOf(value)}`,
  );
}

/** The value of an expression all of whose parts are constant; undefined when it fails: then it fails when it is reached. */
function tryFold(evaluate: Evaluate): { value: Value } | undefined {
  try {
    return { value: evaluate(EMPTY_SCOPE) };
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** A list of half a million numbers is a constant as it stands. */
function holdsOnlyPlainValues({ bytes, start }: RawValue): boolean {
  const cursor = new FieldCursor(bytes, start);
  while (cursor.next()) {
    if (cursor.type === BsonType.object || cursor.type === BsonType.array) return false;
    if (cursor.type === BsonType.string && bytes[cursor.valueStart + 4] === DOLLAR) return false;
  }
  return true;
}

const DOLLAR = 0x24;

/** Large ones are left to the evaluation: folding them might take long, and nothing could stop it. */
function areSmallConstants(parts: readonly Expression[]): boolean {
  let bytes = 0;
  for (const { constant } of parts) {
    if (constant === undefined) return false;
    if (constant.value !== undefined) bytes += constant.value.end - constant.value.start;
  }
  if (bytes > LARGE_VALUE_BYTES) noteLoop();
  return bytes <= LARGE_VALUE_BYTES;
}

function unionOfPaths(parts: readonly Expression[]): ReadonlySet<string> | undefined {
  const union = new Set<string>();
  for (const part of parts) {
    if (part.paths === undefined) return undefined;
    for (const path of part.paths) union.add(path);
  }
  return union;
}

function documentPath(text: string, parts: readonly string[]): Expression {
  const paths = new Set([text]);
  if (parts.length > 1) {
    return { evaluate: (scope) => valueAtPath(scope.document, parts, 0), paths, fieldPath: text };
  }
  const name = parts[0]!;
  return { evaluate: (scope) => getField(scope.document, name), paths, fieldPath: text };
}

function rootPath(parts: readonly string[]): Expression {
  if (parts.length > 0) return documentPath(parts.join('.'), parts);
  return { evaluate: (scope) => scope.root, paths: undefined };
}

function slotPath(slot: number, parts: readonly string[], from: number): Expression {
  if (parts.length === from) return { evaluate: (scope) => scope.slots[slot], paths: NO_PATHS };
  return { evaluate: (scope) => valueBelow(scope.slots[slot], parts, from), paths: NO_PATHS };
}

function checkObjectField(name: string): void {
  uassert(!name.includes('.'), 16405, 'dotted field names are only allowed at the top level');
  uassert(
    !name.startsWith('$'),
    16410,
    "FieldPath field names may not start with '$'. Consider using $getField or $setField.",
  );
}

const VARIABLE_NAME = /^[\w\u0080-\uffff]+$/;

function checkVariableName(name: string): void {
  if (VARIABLE_NAME.test(name)) return;
  throw new CommandError(
    'FailedToParse',
    `'${name}' contains an invalid character for a variable name`,
  );
}

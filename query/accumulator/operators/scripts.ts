/**
 * $accumulator: an accumulator in JavaScript; and the one by which mapReduce reduces.
 */
import {
  ArrayBuilder,
  arrayValue,
  booleanValue,
  BsonType,
  DocumentBuilder,
  documentOf,
  fieldsOf,
  getField,
  NULL,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Value } from '../../expression/definition.ts';
import type { Expression } from '../../expression/expression.ts';
import { sourceOf } from '../../expression/operators/scripts.ts';
import { Scope } from '../../expression/scope.ts';
import { ownedValue } from '../../owned.ts';
import type { ScriptCall, ScriptOutcome } from '../../script/script-calls.ts';
import type { Scripts } from '../../script/scripts.ts';
import {
  type AccumulatorDefinition,
  defineAccumulator,
  type ScriptedAccumulator,
} from '../definition.ts';

/** Inputs of one call: what MongoDB puts into one document. */
const MOST_CALL_BYTES = 8 * 1024 * 1024;
const VALUE_OVERHEAD_BYTES = 64;

interface AccumulatorParts {
  readonly init: string;
  readonly accumulate: string;
  /** '' for none. */
  readonly finalize: string;
  readonly initArgs: Expression;
  readonly accumulateArgs: Expression;
}

class JavaScriptAccumulator implements ScriptedAccumulator {
  private readonly parts: AccumulatorParts;
  private readonly initial: RawValue;
  private state: RawValue | undefined;
  private inputs: RawValue[] = [];
  private isFinished = false;
  private pendingBytes = 0;
  lastInputBytes = 0;

  constructor(parts: AccumulatorParts, id: Buffer) {
    this.parts = parts;
    const initial = parts.initArgs.evaluate(new Scope(id));
    if (initial?.type !== BsonType.array) {
      throw new CommandError(4544711, '$accumulator initArgs must evaluate to an array');
    }
    this.initial = ownedValue(initial);
  }

  get heldBytes(): number {
    const state = this.state ?? this.initial;
    return this.pendingBytes + state.end - state.start;
  }

  accept(scope: Scope): void {
    const input = this.parts.accumulateArgs.evaluate(scope);
    if (input?.type !== BsonType.array) {
      throw new CommandError(4544712, '$accumulator accumulateArgs must evaluate to an array');
    }
    this.inputs.push(ownedValue(input));
    this.lastInputBytes = input.end - input.start + VALUE_OVERHEAD_BYTES;
    this.pendingBytes += this.lastInputBytes;
  }

  nextCall(end: boolean): ScriptCall | undefined {
    if (this.isFinished || (this.inputs.length === 0 && !end)) return undefined;
    const taken = this.takeInputs();
    this.isFinished = end && this.inputs.length === 0;
    const builder = new DocumentBuilder();
    if (this.state !== undefined) builder.append('state', this.state);
    else builder.append('init', this.initial);
    const inputs = new ArrayBuilder();
    for (const input of taken) inputs.push(input);
    const given = builder
      .append('inputs', arrayValue(inputs.finish()))
      .append('end', booleanValue(this.isFinished))
      .finish();
    const { init, accumulate, finalize } = this.parts;
    return { kind: 'fold', sources: [init, accumulate, finalize], given };
  }

  private takeInputs(): readonly RawValue[] {
    let bytes = 0;
    let count = 0;
    for (const input of this.inputs) {
      bytes += input.end - input.start + VALUE_OVERHEAD_BYTES;
      if (count > 0 && bytes > MOST_CALL_BYTES) break;
      count += 1;
    }
    const taken = this.inputs.slice(0, count);
    this.inputs = this.inputs.slice(count);
    this.pendingBytes = this.inputs.length === 0 ? 0 : Math.max(0, this.pendingBytes - bytes);
    return taken;
  }

  answered(outcome: ScriptOutcome): void {
    if ('error' in outcome) throw outcome.error;
    this.state = ownedValue(outcome.value);
  }

  result(): Value {
    return this.state;
  }
}

const KNOWN: ReadonlySet<string> = new Set([
  'init',
  'accumulate',
  'merge',
  'finalize',
  'initArgs',
  'accumulateArgs',
  'lang',
]);

const $accumulator = defineAccumulator({
  name: '$accumulator',
  inGroupsOnly: true,
  compile: (argument, context) => {
    uassert(
      argument.type === BsonType.object,
      4544703,
      `$accumulator expects an object as an argument; found: ${argument.typeName}`,
    );
    const given = new Map(fieldsOf(argument.asDocument()));
    for (const name of given.keys()) {
      if (!KNOWN.has(name)) {
        throw new CommandError(4544706, `$accumulator got an unexpected field: ${name}`);
      }
    }
    checkLanguage(given.get('lang'));
    const [init, accumulate] = [
      required('init', 4544707, given.get('init'), context),
      required('accumulate', 4544708, given.get('accumulate'), context),
    ];
    required('merge', 4544709, given.get('merge'), context);
    const finalize = given.get('finalize');
    const accumulateArgs = given.get('accumulateArgs');
    if (accumulateArgs === undefined) {
      throw new CommandError(4544710, "$accumulator missing required argument 'accumulateArgs'");
    }
    const none = arrayValue(new ArrayBuilder().finish());
    const parts: AccumulatorParts = {
      init,
      accumulate,
      finalize: finalize === undefined ? '' : constantSource('finalize', finalize, context),
      initArgs: compileExpression(given.get('initArgs') ?? none, context),
      accumulateArgs: compileExpression(accumulateArgs, context),
    };
    scriptsOf(context, '$accumulator').use();
    return {
      isScripted: true,
      paths: parts.accumulateArgs.paths,
      create: (id) => new JavaScriptAccumulator(parts, id),
    };
  },
});

function checkLanguage(language: RawValue | undefined): void {
  if (language === undefined) return;
  if (language.type !== BsonType.string) {
    throw new CommandError(
      4544704,
      `$accumulator lang must be a string; found: ${language.typeName}`,
    );
  }
  uassert(language.asString() === 'js', 4544705, "$accumulator only supports lang: 'js'");
}

function required(
  name: string,
  code: number,
  value: RawValue | undefined,
  context: QueryContext,
): string {
  const source = value === undefined ? '' : constantSource(name, value, context);
  if (source !== '') return source;
  throw new CommandError(code, `$accumulator missing required argument '${name}'`);
}

function constantSource(name: string, value: RawValue, context: QueryContext): string {
  const { constant } = compileExpression(value, context);
  if (constant === undefined) {
    throw new CommandError(4544701, `$accumulator '${name}' must be a constant expression`);
  }
  const source = sourceOf(constant.value);
  if (source !== undefined) return source;
  throw new CommandError(4544702, `$accumulator '${name}' must be a String or Code`);
}

function scriptsOf(context: QueryContext, name: string): Scripts {
  if (context.scripts !== undefined) return context.scripts;
  throw new CommandError(31264, `${name} can't be run on this process. Javascript is disabled.`);
}

/** Values of one key of a mapReduce, reduced to one. Its order of values is MongoDB's: the last one first. */
class Reduction implements ScriptedAccumulator {
  private readonly source: string;
  private readonly data: Expression;
  private key: RawValue = NULL;
  private values: RawValue[] = [];
  private isReduced = false;
  private pendingBytes = 0;
  lastInputBytes = 0;

  constructor(source: string, data: Expression) {
    this.source = source;
    this.data = data;
  }

  get heldBytes(): number {
    return this.pendingBytes;
  }

  accept(scope: Scope): void {
    const data = this.data.evaluate(scope);
    if (data === undefined) return;
    const key = getField(data.asDocument(), 'k');
    const value = getField(data.asDocument(), 'v');
    uassert(
      key !== undefined && value !== undefined,
      31251,
      "$_internalJsReduce requires the 'data' argument to have a 'k' and 'v' field.",
    );
    if (this.values.length === 0) this.key = ownedValue(key);
    this.values.push(ownedValue(value));
    this.lastInputBytes = value.end - value.start + VALUE_OVERHEAD_BYTES;
    this.pendingBytes += this.lastInputBytes;
    this.isReduced = false;
  }

  nextCall(end: boolean): ScriptCall | undefined {
    const { values } = this;
    if (values.length === 0 || (this.isReduced && values.length === 1)) return undefined;
    if (!end && values.length === 1) return undefined;
    const list = new ArrayBuilder();
    let bytes = this.key.end - this.key.start;
    let taken = 0;
    while (values.length > 0) {
      const value = values[values.length - 1]!;
      bytes += value.end - value.start + 16;
      if (bytes > MOST_CALL_BYTES * 2) break;
      list.push(value);
      values.pop();
      taken += 1;
    }
    uassert(values.length === 0 || taken > 1, 31392, 'Value too large to reduce');
    const args = new ArrayBuilder().push(this.key).push(arrayValue(list.finish()));
    return {
      kind: 'call',
      sources: [this.source],
      given: documentOf({ args: arrayValue(args.finish()) }),
    };
  }

  answered(outcome: ScriptOutcome): void {
    if ('error' in outcome) throw outcome.error;
    this.values.push(ownedValue(outcome.value));
    this.isReduced = this.values.length === 1;
    this.pendingBytes = this.values.reduce(
      (bytes, value) => bytes + value.end - value.start + VALUE_OVERHEAD_BYTES,
      0,
    );
  }

  result(): Value {
    return this.values[0];
  }
}

const $internalJsReduce = defineAccumulator({
  name: '$_internalJsReduce',
  inGroupsOnly: true,
  compile: (argument, context) => {
    const scripts = scriptsOf(context, '$_internalJsReduce');
    uassert(
      scripts.isMapReduce,
      'BadValue',
      '$_internalJsReduce not allowed without enabling test commands.',
    );
    const given = new Map(fieldsOf(argument.asDocument()));
    const source = sourceOf(given.get('eval'));
    uassert(source !== undefined, 31244, "$_internalJsReduce requires 'eval' to be code");
    const data = compileExpression(given.get('data') ?? NULL, context);
    scripts.use();
    return { isScripted: true, paths: data.paths, create: () => new Reduction(source, data) };
  },
});

export const SCRIPTS: readonly AccumulatorDefinition[] = [$accumulator, $internalJsReduce];

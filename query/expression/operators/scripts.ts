/**
 * $function: an expression in JavaScript; and the expression by which mapReduce maps.
 */
import {
  arrayValue,
  ArrayBuilder,
  BsonType,
  documentOf,
  documentValue,
  fieldsOf,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  defineExpression,
  type ExpressionCompiler,
  type ExpressionDefinition,
} from '../definition.ts';
import type { Expression } from '../expression.ts';

/** The text of a function; undefined for another type. */
export function sourceOf(value: RawValue | undefined): string | undefined {
  return value?.type === BsonType.string || value?.type === BsonType.javascript
    ? value.asString()
    : undefined;
}

const $function = defineExpression({
  name: '$function',
  args: 'special',
  compile: (argument, compiler) => {
    uassert(
      argument.type === BsonType.object,
      31260,
      `$function requires an object as an argument, found: ${argument.typeName}`,
    );
    const given = new Map(fieldsOf(argument.asDocument()));
    const source = bodyOf(given.get('body'), compiler);
    const args = given.get('args');
    if (args === undefined) throw new CommandError(31263, 'The args field must be specified.');
    const language = given.get('lang');
    if (language === undefined) throw new CommandError(31418, 'The lang field must be specified.');
    uassert(
      language.type === BsonType.string && language.asString() === 'js',
      31419,
      "Currently the only supported language specifier is 'js'.",
    );
    return callOf(source, compiler.compile(args), compiler);
  },
});

function bodyOf(body: RawValue | undefined, compiler: ExpressionCompiler): string {
  if (body === undefined) throw new CommandError(31261, 'The body function must be specified.');
  const constant = compiler.compile(body).constant;
  if (constant === undefined) {
    throw new CommandError(31432, 'The body function must be a constant expression');
  }
  const source = sourceOf(constant.value);
  if (source !== undefined) return source;
  throw new CommandError(31262, 'The body function must evaluate to type string or code');
}

function callOf(source: string, args: Expression, compiler: ExpressionCompiler): Expression {
  const session = scriptsOf(compiler, '$function').use();
  const sources = [source];
  return compiler.combine(
    [args],
    (scope) => {
      const list = args.evaluate(scope);
      if (list?.type !== BsonType.array) {
        throw new CommandError(31266, 'The args field must be of type array');
      }
      return session.valueOf({ kind: 'call', sources, given: documentOf({ args: list }) });
    },
    { pure: false },
  );
}

function scriptsOf({ context }: ExpressionCompiler, name: string) {
  if (context.scripts !== undefined) return context.scripts;
  throw new CommandError(31264, `${name} can't be run on this process. Javascript is disabled.`);
}

/** All that one document emits may have this size. Source: internalQueryMaxJsEmitBytes. */
const MOST_EMITTED_BYTES = 100 * 1024 * 1024;

/** {$_internalJsEmit: {this: document, eval: map}} -> [{k, v}, ...]. Only mapReduce says this. */
const $internalJsEmit = defineExpression({
  name: '$_internalJsEmit',
  args: 'special',
  compile: (argument, compiler) => {
    const scripts = scriptsOf(compiler, '$_internalJsEmit');
    uassert(
      scripts.isMapReduce,
      'BadValue',
      '$_internalJsEmit not allowed without enabling test commands.',
    );
    const given = new Map(fieldsOf(argument.asDocument()));
    const source = sourceOf(given.get('eval'));
    uassert(source !== undefined, 31224, 'The map function must be of type string or code');
    const self = compiler.compile(given.get('this') ?? argument);
    const session = scripts.use();
    const sources = [source];
    return compiler.combine(
      [self],
      (scope) => {
        const document = self.evaluate(scope);
        uassert(document?.type === BsonType.object, 31225, "'this' must be an object.");
        const emitted = session.valueOf({
          kind: 'emit',
          sources,
          given: documentOf({ self: documentValue(document.asDocument()) }),
        });
        uassert(
          emitted.end - emitted.start < MOST_EMITTED_BYTES,
          31292,
          `Size of emitted values exceeds the set size limit of ${MOST_EMITTED_BYTES} bytes`,
        );
        return emitted.type === BsonType.array ? emitted : NOTHING_EMITTED;
      },
      { pure: false, readsAll: true },
    );
  },
});

const NOTHING_EMITTED = arrayValue(new ArrayBuilder().finish());

export const SCRIPTS: readonly ExpressionDefinition[] = [$function, $internalJsEmit];

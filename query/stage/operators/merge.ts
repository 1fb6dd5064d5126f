/**
 * $merge: writes each document into a collection, joined with the one that is there.
 */
import {
  BsonType,
  documentValue,
  DocumentBuilder,
  fieldsOf,
  getField,
  getPath,
  parsePath,
  type RawValue,
  setField,
  valuesEqual,
  withIdFirst,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { withVariables } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import { elementsOf } from '../../expression/elements.ts';
import type { Expression } from '../../expression/expression.ts';
import { Scope } from '../../expression/scope.ts';
import { collatorOf, sameCollation } from '../../index-kind/collation.ts';
import { checkUserVariable } from '../../expression/variable-name.ts';
import { checkOutput, outputNamespace, pipelineArgument } from '../arguments.ts';
import { defineStage, type PipelineRun, type StageParser } from '../definition.ts';
import type { OutputWriter } from '../host.ts';
import { compileDocumentPipeline } from '../document-pipeline.ts';
import type { DocumentSource } from '../source.ts';

type WhenMatched = 'replace' | 'merge' | 'keepExisting' | 'fail' | 'pipeline';
type WhenNotMatched = 'insert' | 'discard' | 'fail';

interface MergeSpecification {
  readonly into: string;
  readonly on: readonly string[];
  readonly whenMatched: WhenMatched;
  readonly pipeline: readonly Buffer[];
  readonly variables: readonly { readonly name: string; readonly expression: Expression }[];
  readonly whenNotMatched: WhenNotMatched;
}

class MergeSource implements DocumentSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly specification: MergeSpecification;

  constructor(run: PipelineRun, input: DocumentSource, specification: MergeSpecification) {
    this.run = run;
    this.input = input;
    this.specification = specification;
  }

  async next(): Promise<undefined> {
    const { writer } = this.run.host;
    if (writer === undefined) {
      throw new CommandError('CommandNotSupported', '$merge is not supported here');
    }
    this.checkUnique();
    for (;;) {
      const document = await this.input.next();
      if (document === undefined) return undefined;
      this.run.interruption.throwIfInterrupted();
      const scripts = this.run.context.scripts?.running;
      if (scripts === undefined) await this.write(document, writer);
      else await scripts.repeat(() => this.write(document, writer), this.run.interruption);
    }
  }

  /** Documents are found by `on`: without a unique index on it "the" matching document would not exist. */
  private checkUnique(): void {
    const { into, on } = this.specification;
    if (on.length === 1 && on[0] === '_id') return;
    const collection = this.run.view.collection(into);
    const wanted = this.run.context.collator;
    const fits = collection?.indexes.some(
      (index) =>
        index.unique &&
        index.ready &&
        getField(index.spec, 'partialFilterExpression') === undefined &&
        sameCollation(collatorOf(index), wanted) &&
        index.fields.length === on.length &&
        index.fields.every((field) => on.includes(field.path)),
    );
    if (fits === true) return;
    throw new CommandError(51183, 'Cannot find index to verify that join fields will be unique');
  }

  private async write(document: Buffer, writer: OutputWriter): Promise<void> {
    const { into, whenMatched, whenNotMatched } = this.specification;
    if (whenMatched === 'fail') {
      await writer.insert(into, document);
      return;
    }
    const key = this.keyOf(document);
    const change = this.changeBy(document);
    const found = key !== undefined && (await writer.change(into, key, change));
    if (found || whenNotMatched === 'discard') return;
    if (whenNotMatched === 'fail') {
      throw new CommandError(
        'MergeStageNoMatchingDocument',
        '$merge could not find a matching document in the target collection for at least one document in the source collection',
      );
    }
    await this.insertOrChange(document, writer, { key, change });
  }

  /** Somebody else may have inserted it since it was looked for. */
  private async insertOrChange(
    document: Buffer,
    writer: OutputWriter,
    { key, change }: { key: Buffer | undefined; change: (before: Buffer) => Buffer | undefined },
  ): Promise<void> {
    const { into } = this.specification;
    try {
      await writer.insert(into, document);
    } catch (error) {
      const isDuplicate = error instanceof CommandError && error.codeName === 'DuplicateKey';
      if (!isDuplicate || key === undefined) throw error;
      if (!(await writer.change(into, key, change))) throw error;
    }
  }

  /** The values of `on`; undefined for a document without _id: it matches nothing. */
  private keyOf(document: Buffer): Buffer | undefined {
    const builder = new DocumentBuilder();
    for (const path of this.specification.on) {
      const value = getPath(document, parsePath(path));
      if (value === undefined && path === '_id') return undefined;
      if (value === undefined || value.isNullish || value.type === BsonType.array) {
        throw new CommandError(
          51132,
          `$merge write error: 'on' field '${path}' cannot be missing, null, undefined or an array`,
        );
      }
      builder.append(path, value);
    }
    return builder.finish();
  }

  private changeBy(document: Buffer): (before: Buffer) => Buffer | undefined {
    switch (this.specification.whenMatched) {
      case 'keepExisting':
      case 'fail':
        return () => undefined;
      case 'replace':
        return (before) => withSameId(before, document);
      case 'merge':
        return (before) => merged(before, document);
      case 'pipeline':
        return (before) => this.transformed(before, document);
    }
  }

  private transformed(before: Buffer, document: Buffer): Buffer {
    const { variables, pipeline } = this.specification;
    const { context } = this.run;
    const scope = new Scope(document);
    const inner = new Map(context.variables);
    inner.set('new', documentValue(document));
    for (const { name, expression } of variables) inner.set(name, expression.evaluate(scope));
    const innerContext = withVariables(context, inner);
    return withSameId(before, compileDocumentPipeline(pipeline, innerContext)(before));
  }

  close(): void {
    this.input.close();
  }
}

function withSameId(before: Buffer, after: Buffer): Buffer {
  const old = getField(before, '_id');
  const given = getField(after, '_id');
  if (old === undefined || (given !== undefined && valuesEqual(old, given))) return after;
  if (given === undefined) return withIdFirst(after, old);
  throw new CommandError(
    'ImmutableField',
    '$merge failed to update the matching document, did you attempt to modify the _id or the shard key?',
  );
}

/** The fields of `document` set into `before`. */
function merged(before: Buffer, document: Buffer): Buffer {
  let result = before;
  for (const [name, value] of fieldsOf(document)) result = setField(result, name, value);
  return withSameId(before, result);
}

const MATCHED: ReadonlySet<string> = new Set(['replace', 'merge', 'keepExisting', 'fail']);
const NOT_MATCHED: ReadonlySet<string> = new Set(['insert', 'discard', 'fail']);

function parseMerge(argument: RawValue, parser: StageParser): MergeSpecification {
  const given: ReadonlyMap<string, RawValue> =
    argument.type === BsonType.string
      ? new Map([['into', argument]])
      : new Map(fieldsOf(requireObject(argument).asDocument()));
  for (const name of given.keys()) {
    if (!['into', 'on', 'let', 'whenMatched', 'whenNotMatched'].includes(name)) {
      throw new CommandError('IDLUnknownField', `BSON field '$merge.${name}' is an unknown field.`);
    }
  }
  const into = given.get('into');
  if (into === undefined) {
    throw new CommandError(
      'IDLFailedToParse',
      "BSON field '$merge.into' is missing but a required field",
    );
  }
  const matched = parseMatched(given.get('whenMatched'));
  const whenNotMatched = parseNotMatched(given.get('whenNotMatched'));
  checkModes(matched.whenMatched, whenNotMatched);
  const variables = parseLet(given.get('let'), matched.whenMatched, parser);
  checkPipeline(matched.pipeline, variables, parser);
  return {
    into: intoArgument(into, parser.database),
    on: parseOn(given.get('on')),
    ...matched,
    variables,
    whenNotMatched,
  };
}

/** A name, or {db, coll} of which the database may be left out. */
function intoArgument(into: RawValue, database: string): string {
  if (into.type === BsonType.object) {
    const parts = new Map(fieldsOf(into.asDocument()));
    const coll = parts.get('coll');
    const db = parts.get('db');
    const isWhole = coll?.type === BsonType.string && coll.asString() !== '';
    if (isWhole && (db === undefined || db.type === BsonType.string)) {
      return outputNamespace('$merge', db?.asString() ?? database, coll.asString());
    }
  }
  if (into.type === BsonType.string && into.asString() !== '') {
    return outputNamespace('$merge', database, into.asString());
  }
  throw new CommandError(
    51_178,
    `$merge 'into' field must be either a string or an object with a collection's name, but found ${into.typeName}`,
  );
}

/** What is kept or refused when found cannot be thrown away or refused when missing: nothing would ever be written. */
function checkModes(whenMatched: WhenMatched, whenNotMatched: WhenNotMatched): void {
  const insertsOnly = whenMatched === 'keepExisting' || whenMatched === 'fail';
  if (!insertsOnly || whenNotMatched === 'insert') return;
  throw new CommandError(
    51_181,
    `Combination of $merge modes 'whenMatched: ${whenMatched}' and 'whenNotMatched: ${whenNotMatched}' is not supported`,
  );
}

function parseLet(
  value: RawValue | undefined,
  whenMatched: WhenMatched,
  parser: StageParser,
): MergeSpecification['variables'] {
  if (value === undefined) return [];
  if (whenMatched !== 'pipeline') {
    throw new CommandError(
      51_199,
      `Cannot use 'let' variables with 'whenMatched: ${whenMatched}' mode`,
    );
  }
  if (value.type !== BsonType.object) {
    throw new CommandError(
      'TypeMismatch',
      `BSON field '$merge.let' is the wrong type '${value.typeName}', expected type 'object'`,
    );
  }
  const given = getField(value.asDocument(), 'new');
  if (given !== undefined && !(given.type === BsonType.string && given.asString() === '$$ROOT')) {
    throw new CommandError(
      51_273,
      "'let' may not define a value for the reserved 'new' variable other than '$$ROOT'",
    );
  }
  return parseVariables(value, parser);
}

/** Finds mistakes in the inner pipeline before any document is read: its variables exist, their values do not yet. */
function checkPipeline(
  pipeline: readonly Buffer[],
  variables: MergeSpecification['variables'],
  parser: StageParser,
): void {
  if (pipeline.length === 0) return;
  const known = new Map(parser.context.variables);
  for (const { name } of [{ name: 'new' }, ...variables]) known.set(name, undefined);
  compileDocumentPipeline(pipeline, withVariables(parser.context, known));
}

function requireObject(argument: RawValue): RawValue {
  if (argument.type === BsonType.object) return argument;
  throw new CommandError(
    'TypeMismatch',
    `$merge requires a string or object argument, but found ${argument.typeName}`,
  );
}

function parseOn(value: RawValue | undefined): readonly string[] {
  if (value === undefined) return ['_id'];
  const given = value.type === BsonType.array ? elementsOf(value) : [value];
  for (const element of given) {
    if (element.type === BsonType.string) continue;
    throw new CommandError(
      value.type === BsonType.array ? 51_134 : 51_186,
      `$merge 'on' must be a string or an array of strings, but found ${element.typeName}`,
    );
  }
  const paths = given.map((element) => element.asString());
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw new CommandError(31_465, `Found a duplicate field '${twice}'`);
  if (paths.length > 0 && paths.every((path) => path !== '')) return paths;
  throw new CommandError(
    51187,
    "If explicitly specifying $merge 'on', must include at least one field",
  );
}

function parseMatched(
  value: RawValue | undefined,
): Pick<MergeSpecification, 'whenMatched' | 'pipeline'> {
  if (value === undefined) return { whenMatched: 'merge', pipeline: [] };
  if (value.type === BsonType.array) {
    return { whenMatched: 'pipeline', pipeline: pipelineArgument('$merge', value) };
  }
  const mode = value.asString();
  if (!isMatchedMode(mode)) {
    throw new CommandError(
      'BadValue',
      `Enumeration value '${mode}' for field '$merge.whenMatched' is not a valid value.`,
    );
  }
  return { whenMatched: mode, pipeline: [] };
}

function isMatchedMode(mode: string): mode is Exclude<WhenMatched, 'pipeline'> {
  return MATCHED.has(mode);
}

function parseNotMatched(value: RawValue | undefined): WhenNotMatched {
  const mode = value === undefined ? 'insert' : value.asString();
  if (isNotMatchedMode(mode)) return mode;
  throw new CommandError(
    'BadValue',
    `Enumeration value '${mode}' for field '$merge.whenNotMatched' is not a valid value.`,
  );
}

function isNotMatchedMode(mode: string): mode is WhenNotMatched {
  return NOT_MATCHED.has(mode);
}

function parseVariables(
  value: RawValue | undefined,
  parser: StageParser,
): MergeSpecification['variables'] {
  if (value === undefined) return [];
  return Array.from(fieldsOf(value.asDocument()), ([name, definition]) => {
    checkUserVariable(name);
    return { name, expression: compileExpression(definition, parser.context) };
  });
}

export const $merge = defineStage({
  name: '$merge',
  position: 'last',
  notInside: ['$facet', '$lookup', '$unionWith'],
  parse: (argument, parser, shown) => {
    const specification = parseMerge(argument, parser);
    checkOutput('$merge', specification.into, { special: 31_319, internal: 31_320 });
    return [
      {
        name: '$merge',
        writes: true,
        nature: { kind: 'other' },
        shown,
        open: (input, run) => new MergeSource(run, input, specification),
      },
    ];
  },
});

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
import type { QueryContext } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import { elementsOf } from '../../expression/elements.ts';
import type { Expression } from '../../expression/expression.ts';
import { Scope } from '../../expression/scope.ts';
import { checkUserVariable } from '../../expression/variable-name.ts';
import { namespaceArgument, pipelineArgument } from '../arguments.ts';
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
      await this.write(document, writer);
    }
  }

  /** Documents are found by `on`: without a unique index on it "the" matching document would not exist. */
  private checkUnique(): void {
    const { into, on } = this.specification;
    if (on.length === 1 && on[0] === '_id') return;
    const collection = this.run.view.collection(into);
    const fits = collection?.indexes.some(
      (index) =>
        index.unique &&
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
    const innerContext: QueryContext = { ...context, variables: inner };
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
  return {
    into: namespaceArgument('$merge', into, parser.database),
    on: parseOn(given.get('on')),
    ...matched,
    variables: parseVariables(given.get('let'), parser),
    whenNotMatched: parseNotMatched(given.get('whenNotMatched')),
  };
}

function requireObject(argument: RawValue): RawValue {
  if (argument.type === BsonType.object) return argument;
  throw new CommandError(
    51182,
    `$merge only supports a string or object argument, not ${argument.typeName}`,
  );
}

function parseOn(value: RawValue | undefined): readonly string[] {
  if (value === undefined) return ['_id'];
  const paths =
    value.type === BsonType.array
      ? elementsOf(value).map((element) => element.asString())
      : [value.asString()];
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

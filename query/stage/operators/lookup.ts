/**
 * $lookup: joins each document with those of another collection that match.
 *
 * Owns: the choice between four ways. A pipeline that does not depend on the document runs once. An equality on a field
 * without an index builds a hash table of the other collection once, as long as it fits. An equality with a collection of other servers
 * asks for what a batch of documents needs. All else plans a pipeline per document, with the values of `let` as constants, so that the
 * planner can use indexes.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  canonicalKey,
  documentOf,
  DocumentBuilder,
  fieldsOf,
  type FieldPath,
  forEachPathValue,
  NULL,
  parsePath,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../../common/limits.ts';
import { type QueryContext, withVariables } from '../../context.ts';
import { compileExpression } from '../../expression/compile.ts';
import type { Expression } from '../../expression/expression.ts';
import { splitFieldPath } from '../../expression/field-path.ts';
import { Scope } from '../../expression/scope.ts';
import { ownedDocument } from '../../owned.ts';
import { checkUserVariable } from '../../expression/variable-name.ts';
import {
  namespaceArgument,
  pipelineArgument,
  stageArguments,
  startsWithDocuments,
  stringArgument,
} from '../arguments.ts';
import { defineStage, type PipelineRun, type StageParser } from '../definition.ts';
import { withPath } from '../document-path.ts';
import { valuesAt } from '../path-values.ts';
import { AGAIN, type DocumentSource, drain, PullSource, type SourceStep } from '../source.ts';

interface LookupSpecification {
  readonly from: string;
  readonly as: readonly string[];
  readonly local: FieldPath | undefined;
  readonly foreign: FieldPath | undefined;
  readonly variables: readonly { readonly name: string; readonly expression: Expression }[];
  /** undefined: the plain form without a pipeline. */
  readonly pipeline: readonly Buffer[] | undefined;
}

interface Batch {
  readonly documents: readonly Buffer[];
  position: number;
}

/** A batch that is joined at once has so many documents, or different values, or bytes at most. */
const BATCH_COUNT = 500;
const BATCH_BYTES = 4 * 1024 * 1024;
/** What they match, bytes. */
const BATCH_MATCH_BYTES = 32 * 1024 * 1024;

type HashTable = ReadonlyMap<string, readonly number[]>;

class LookupSource extends PullSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly specification: LookupSpecification;
  private readonly scope = new Scope(Buffer.alloc(0));
  /** The same for every document. */
  private independent: readonly Buffer[] | undefined;
  private table: HashTable | undefined;
  private foreignDocuments: Buffer[] = [];
  private hashIsTried = false;
  /** Documents whose matches are in the table, and those that come next; of a collection elsewhere only. */
  private batch: Batch | undefined;

  constructor(run: PipelineRun, input: DocumentSource, specification: LookupSpecification) {
    super(run.yielder);
    this.run = run;
    this.input = input;
    this.specification = specification;
  }

  protected step(): SourceStep {
    if (this.yielder.tick()) return AGAIN;
    if (this.isElsewhere && this.specification.pipeline === undefined) return this.nextOfBatch();
    const document = this.input.next();
    if (document === undefined) return undefined;
    if (this.table !== undefined && !(document instanceof Promise)) {
      return this.joined(document, this.fromTable(document, this.table));
    }
    return this.later(document);
  }

  /** The other collection's documents come over the network. */
  private get isElsewhere(): boolean {
    return this.run.host.openPipeline !== undefined;
  }

  private async nextOfBatch(): Promise<Buffer | undefined> {
    if (this.batch === undefined || this.batch.position === this.batch.documents.length) {
      await this.fillBatch();
    }
    const { batch, table } = this;
    const document = batch?.documents[batch.position];
    if (batch === undefined || document === undefined) return undefined;
    batch.position += 1;
    const matches =
      table === undefined ? await this.runPipeline(document) : this.fromTable(document, table);
    return this.joined(document, matches);
  }

  /** Takes some documents, and asks once for the matches of all of them. Too many matches are asked for one by one. */
  private async fillBatch(): Promise<void> {
    const { local, foreign, from } = this.specification;
    this.table = undefined;
    const documents: Buffer[] = [];
    const wanted = new Map<string, RawValue>();
    const { collator } = this.run.context;
    let bytes = 0;
    while (documents.length < BATCH_COUNT && wanted.size < BATCH_COUNT && bytes < BATCH_BYTES) {
      const next = await this.input.next();
      if (next === undefined) break;
      const document = ownedDocument(next);
      documents.push(document);
      bytes += document.length;
      const values = valuesAt(document, local!);
      for (const value of values.length === 0 ? [NULL] : values) {
        wanted.set(canonicalKey(value, collator), value);
      }
    }
    this.batch = { documents, position: 0 };
    if (documents.length === 0) return;
    const most = Math.min(this.run.maxStageBytes, BATCH_MATCH_BYTES);
    this.table = await this.buildTable(from, foreign!, [this.matchAny([...wanted.values()])], most);
  }

  private async later(pending: Buffer | Promise<Buffer | undefined>): Promise<Buffer | undefined> {
    const document = await pending;
    if (document === undefined) return undefined;
    return this.joined(document, await this.matches(document));
  }

  private async matches(document: Buffer): Promise<readonly Buffer[]> {
    const { local, variables } = this.specification;
    if (local === undefined && variables.length === 0) {
      return (this.independent ??= await this.runPipeline(document));
    }
    if (!this.hashIsTried) await this.tryHashTable();
    if (this.table !== undefined) return this.fromTable(document, this.table);
    return this.runPipeline(document);
  }

  private async runPipeline(document: Buffer): Promise<Buffer[]> {
    const { from, pipeline = [], local } = this.specification;
    const stages = local === undefined ? pipeline : [this.matchStage(document, local), ...pipeline];
    const source = this.run.openPipeline(from, stages, { context: this.innerContext(document) });
    const matches: Buffer[] = [];
    let bytes = 0;
    try {
      await drain(source, (match) => {
        bytes += match.length;
        if (bytes > this.run.maxStageBytes) throw tooLarge(from);
        matches.push(ownedDocument(match));
      });
    } finally {
      source.close();
    }
    return matches;
  }

  private matchStage(document: Buffer, local: FieldPath): Buffer {
    return this.matchAny(valuesAt(document, local));
  }

  private matchAny(values: readonly RawValue[]): Buffer {
    const wanted = new ArrayBuilder();
    for (const value of values.length === 0 ? [NULL] : values) wanted.push(value);
    const isPlain = values.every((value) => value.type !== BsonType.regex);
    const path = this.specification.foreign!.text;
    const filter = isPlain
      ? documentOf({ [path]: documentOf({ $in: arrayValue(wanted.finish()) }) })
      : equalities(path, values);
    return documentOf({ $match: filter });
  }

  private innerContext(document: Buffer): QueryContext {
    const { context } = this.run;
    const { variables } = this.specification;
    if (variables.length === 0) return context;
    this.scope.document = document;
    const inner = new Map(context.variables);
    for (const { name, expression } of variables) inner.set(name, expression.evaluate(this.scope));
    return withVariables(context, inner);
  }

  /** Without an index on the foreign field each document would cost a scan of the other collection. */
  private async tryHashTable(): Promise<void> {
    this.hashIsTried = true;
    const { from, foreign, pipeline } = this.specification;
    if (foreign === undefined || pipeline !== undefined) return;
    const collection = this.run.view.collection(from);
    const hasIndex = collection?.indexes.some(
      (index) => index.ready && index.fields[0]?.path === foreign.text,
    );
    if (hasIndex === true) return;
    this.table = await this.buildTable(from, foreign, [], this.run.maxStageBytes);
  }

  /** undefined: it would have more than `mostBytes`. */
  private async buildTable(
    from: string,
    foreign: FieldPath,
    pipeline: readonly Buffer[],
    mostBytes: number,
  ): Promise<HashTable | undefined> {
    const table = new Map<string, number[]>();
    const documents: Buffer[] = [];
    const source = this.run.openPipeline(from, pipeline);
    const { collator } = this.run.context;
    let bytes = 0;
    try {
      await drain(source, (document) => {
        bytes += document.length;
        if (bytes > mostBytes) throw new TableTooLargeError();
        const position = documents.push(ownedDocument(document)) - 1;
        const visit = (value: RawValue | undefined): boolean => {
          const key = canonicalKey(value, collator);
          const positions = table.get(key);
          if (positions === undefined) table.set(key, [position]);
          else if (positions.at(-1) !== position) positions.push(position);
          return false;
        };
        forEachPathValue(document, foreign, visit, { expandLeafArrays: true });
      });
    } catch (error) {
      if (error instanceof TableTooLargeError) return undefined;
      throw error;
    } finally {
      source.close();
    }
    this.foreignDocuments = documents;
    return table;
  }

  private fromTable(document: Buffer, table: HashTable): readonly Buffer[] {
    const values = valuesAt(document, this.specification.local!);
    const { collator } = this.run.context;
    const keys = (values.length === 0 ? [NULL] : values).map((value) =>
      canonicalKey(value, collator),
    );
    const [only] = keys;
    const positions =
      keys.length === 1
        ? (table.get(only) ?? [])
        : [...new Set(keys.flatMap((key) => table.get(key) ?? []))].sort((a, b) => a - b);
    return positions.map((position) => this.foreignDocuments[position]);
  }

  private joined(document: Buffer, matches: readonly Buffer[]): Buffer {
    const list = new ArrayBuilder();
    let bytes = document.length;
    for (const match of matches) {
      bytes += match.length;
      if (bytes > MAX_BSON_OBJECT_BYTES) throw tooLarge(this.specification.from);
      list.pushDocument(match);
    }
    return withPath(document, this.specification.as, arrayValue(list.finish()));
  }

  close(): void {
    this.table = undefined;
    this.batch = undefined;
    this.foreignDocuments = [];
    this.independent = undefined;
    this.input.close();
  }
}

/** Signals inside buildTable that the table does not pay. */
class TableTooLargeError extends Error {}

function tooLarge(from: string): CommandError {
  return new CommandError(
    4568,
    `Total size of documents in ${from} matching pipeline's $lookup stage exceeds ${MAX_BSON_OBJECT_BYTES} bytes`,
  );
}

/** A regular expression inside $in would match strings: here it means itself. */
function equalities(path: string, values: readonly RawValue[]): Buffer {
  const branches = new ArrayBuilder();
  for (const value of values) {
    branches.pushDocument(documentOf({ [path]: documentOf({ $eq: value }) }));
  }
  return new DocumentBuilder().append('$or', arrayValue(branches.finish())).finish();
}

/** An empty name is as good as none. */
function nameArgument(given: ReadonlyMap<string, RawValue>, name: string): string | undefined {
  const text = stringArgument('$lookup', given, name);
  return text === '' ? undefined : text;
}

function parseLookup(argument: RawValue, parser: StageParser): LookupSpecification {
  const known = ['from', 'as', 'localField', 'foreignField', 'let', 'pipeline'];
  const given = stageArguments('$lookup', argument, known);
  const as = nameArgument(given, 'as');
  if (as === undefined) {
    throw new CommandError('FailedToParse', "must specify 'as' field for a $lookup");
  }
  const localField = nameArgument(given, 'localField');
  const foreignField = nameArgument(given, 'foreignField');
  if ((localField === undefined) !== (foreignField === undefined)) {
    throw new CommandError(
      'FailedToParse',
      "$lookup requires both or neither of 'localField' and 'foreignField' to be specified",
    );
  }
  const pipelineValue = given.get('pipeline');
  if (pipelineValue === undefined && (localField === undefined || given.has('let'))) {
    throw new CommandError(
      'FailedToParse',
      given.has('let')
        ? "$lookup with a 'let' argument must also specify 'pipeline'"
        : "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified",
    );
  }
  const pipeline =
    pipelineValue === undefined ? undefined : pipelineArgument('$lookup', pipelineValue);
  const variables = parseVariables(given.get('let'), parser);
  checkPipeline(pipeline, variables, parser);
  return {
    from: foreignNamespace(given.get('from'), pipeline, parser),
    as: splitFieldPath(as),
    local: localField === undefined ? undefined : parsePath(checkedPath(localField)),
    foreign: foreignField === undefined ? undefined : parsePath(checkedPath(foreignField)),
    variables,
    pipeline,
  };
}

function checkedPath(path: string): string {
  splitFieldPath(path);
  return path;
}

/** Without `from` the pipeline has to bring its documents itself. */
function foreignNamespace(
  from: RawValue | undefined,
  pipeline: readonly Buffer[] | undefined,
  parser: StageParser,
): string {
  if (from !== undefined) return namespaceArgument('$lookup', from, parser.database);
  if (pipeline !== undefined && startsWithDocuments(pipeline)) {
    return `${parser.database}.$cmd.aggregate`;
  }
  throw new CommandError('FailedToParse', "must specify 'from' field for a $lookup");
}

function parseVariables(
  value: RawValue | undefined,
  parser: StageParser,
): LookupSpecification['variables'] {
  if (value === undefined) return [];
  if (value.type !== BsonType.object) {
    throw new CommandError(
      'FailedToParse',
      `$lookup argument 'let' must be an object, is type ${value.typeName}`,
    );
  }
  return Array.from(fieldsOf(value.asDocument()), ([name, definition]) => {
    checkUserVariable(name);
    return { name, expression: compileExpression(definition, parser.context) };
  });
}

/** Finds mistakes in the inner pipeline before any document is read. The variables exist, their values do not yet. */
function checkPipeline(
  pipeline: readonly Buffer[] | undefined,
  variables: LookupSpecification['variables'],
  parser: StageParser,
): void {
  if (pipeline === undefined) return;
  const known = new Map(parser.context.variables);
  for (const { name } of variables) known.set(name, undefined);
  parser.parsePipeline(pipeline, '$lookup', withVariables(parser.context, known));
}

function variablesEvaluation({ variables }: LookupSpecification): (document: Buffer) => void {
  const scope = new Scope(Buffer.alloc(0));
  return (document) => {
    scope.document = document;
    for (const { expression } of variables) expression.evaluate(scope);
  };
}

export const $lookup = defineStage({
  name: '$lookup',
  position: 'anywhere',
  parse: (argument, parser, shown) => {
    const specification = parseLookup(argument, parser);
    return [
      {
        name: '$lookup',
        nature: { kind: 'oneToOne' },
        shown,
        keepsField: (name) => name !== specification.as[0],
        evaluation: { start: () => variablesEvaluation(specification) },
        open: (input, run) => new LookupSource(run, input, specification),
      },
    ];
  },
});

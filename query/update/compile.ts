/**
 * Compiles the three kinds of update: modifiers, a replacement, a pipeline.
 *
 * Owns: which kind an update is, what is checked once for all documents, and the upsert's document.
 * Promises: an update that changes nothing gives back the very Buffer it was given.
 */
import {
  BsonType,
  DocumentBuilder,
  fieldsOf,
  firstFieldName,
  getField,
  inspect,
  timestampValue,
  withIdFirst,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { type QueryContext, type Variables, withVariables } from '../context.ts';
import { Applier, type ArrayFilters } from './apply.ts';
import { parseArrayFilters } from './array-filters.ts';
import {
  checkDepth,
  checkIdKept,
  checkIdUntouched,
  checkIdValue,
  checkSize,
  checkTopLevelName,
  checkTopLevelNames,
} from './checks.ts';
import type { Application, Modifier } from './modifier.ts';
import { MODIFIERS } from './registry.ts';
import { parseRename, renamedValue, type Rename } from './rename.ts';
import { type LongWork, meetsLongWork } from '../expression/long-work.ts';
import { meetsScripts } from '../script/scripts.ts';
import { buildTree, identifiersIn, type NamesNode } from './tree.ts';
import type { Update, UpdateOptions } from './update.ts';
import { documentFromFilter } from './upsert.ts';

/** @throws CommandError as MongoDB does for an update that is wrong in itself. */
export function compileUpdate(update: RawValue, options: UpdateOptions): Update {
  if (update.type === BsonType.array) return compilePipelineKind(update, options);
  uassert(
    update.type === BsonType.object,
    'FailedToParse',
    'Update argument must be either an object or an array',
  );
  uassert(
    options.constants === undefined,
    51198,
    'Constant values may only be specified for pipeline updates',
  );
  const document = update.asDocument();
  if (firstFieldName(document)?.startsWith('$') === true)
    return new ModifierUpdate(document, options);
  uassert(
    options.multi !== true,
    'FailedToParse',
    'multi update is not supported for replacement-style update',
  );
  uassert(
    (options.arrayFilters ?? []).length === 0,
    'FailedToParse',
    'Cannot specify arrayFilters for a replacement-style update',
  );
  return new ReplacementUpdate(document, options);
}

interface Entry {
  readonly path: string;
  readonly modifier: Modifier;
}

const NOTHING_RENAMED: readonly undefined[] = [];

class ModifierUpdate implements Update {
  readonly kind = 'modifiers';
  readonly needsPosition: boolean;
  private readonly context: QueryContext;
  private readonly tree: NamesNode;
  private readonly filters: ArrayFilters;
  private readonly renames: readonly Rename[];
  /** Below these sizes nothing can be nested more deeply than documents are already. */
  private readonly mayNestDeeply: boolean;
  private readonly touchesId: boolean;

  constructor(update: Buffer, options: UpdateOptions) {
    this.context = options.context;
    this.filters = parseArrayFilters(options.arrayFilters ?? [], options.context);
    const renames: Rename[] = [];
    const entries = parseModifiers(update, options.context, renames);
    const paths = entries.map(({ path }) => path);
    checkIdentifiers(paths, this.filters, update);
    this.renames = renames;
    this.tree = buildTree(entries);
    for (const { name } of this.tree.children.list) checkTopLevelName(name);
    this.needsPosition = paths.some((path) => path.split('.').includes('$'));
    this.touchesId = this.tree.children.get('_id') !== undefined;
    this.mayNestDeeply =
      renames.length > 0 || update.length > 256 || paths.some((path) => path.length > 64);
  }

  apply(document: Buffer, positionalIndex?: number): Buffer {
    return this.run(document, positionalIndex, false);
  }

  upsertDocument(filter: Buffer): Buffer {
    const start = documentFromFilter(filter, this.context, false);
    const result = this.run(start, undefined, true);
    return finishUpsert(result);
  }

  private run(document: Buffer, positionalIndex: number | undefined, isInsert: boolean): Buffer {
    const application: Application = {
      document,
      positionalIndex,
      isInsert,
      renamed:
        this.renames.length === 0
          ? NOTHING_RENAMED
          : this.renames.map((rename) => renamedValue(document, rename)),
    };
    const result = new Applier(application, this.filters).apply(this.tree);
    if (result === undefined) return document;
    if (this.touchesId) checkIdUntouched(document, result);
    if (this.mayNestDeeply) checkDepth(result);
    checkSize(result);
    return result;
  }
}

function parseModifiers(update: Buffer, context: QueryContext, renames: Rename[]): Entry[] {
  const entries: Entry[] = [];
  for (const [name, fields] of fieldsOf(update)) {
    const definition = MODIFIERS.get(name);
    if (definition === undefined && name !== '$rename') {
      throw new CommandError(
        'FailedToParse',
        `Unknown modifier: ${name}. Expected a valid update modifier or pipeline-style update specified as an array`,
      );
    }
    if (fields.type !== BsonType.object) {
      throw new CommandError(
        'FailedToParse',
        `Modifiers operate on fields but we found type ${fields.typeName} instead. For example: {$mod: {<field>: ...}} not {${name}: ${inspect(fields)}}`,
      );
    }
    for (const [path, operand] of fieldsOf(fields.asDocument())) {
      if (definition !== undefined) {
        entries.push({ path, modifier: definition.parse({ path, operand, context }) });
        continue;
      }
      const rename = parseRename(path, operand, renames.length);
      renames.push(rename);
      entries.push(...rename.modifiers);
    }
  }
  return entries;
}

/** Every identifier has a filter, and every filter is used. */
function checkIdentifiers(paths: readonly string[], filters: ArrayFilters, update: Buffer): void {
  const used = new Set<string>();
  for (const path of paths) {
    for (const identifier of identifiersIn(path)) {
      if (!filters.has(identifier)) {
        throw new CommandError(
          'BadValue',
          `No array filter found for identifier '${identifier}' in path '${path}'`,
        );
      }
      used.add(identifier);
    }
  }
  for (const identifier of filters.keys()) {
    if (used.has(identifier)) continue;
    throw new CommandError(
      'FailedToParse',
      `The array filter for identifier '${identifier}' was not used in the update ${inspect(update)}`,
    );
  }
}

class ReplacementUpdate implements Update {
  readonly kind = 'replacement';
  readonly needsPosition = false;
  private readonly context: QueryContext;
  private readonly replacement: Buffer;
  private readonly hasId: boolean;

  constructor(replacement: Buffer, { context, keepEmptyTimestamps }: UpdateOptions) {
    checkTopLevelNames(replacement);
    this.context = context;
    this.replacement =
      keepEmptyTimestamps === true ? replacement : withCurrentTimestamps(replacement, context);
    this.hasId = getField(replacement, '_id') !== undefined;
    checkDepth(replacement);
  }

  apply(document: Buffer): Buffer {
    const result = withIdFirst(
      this.replacement,
      this.hasId ? undefined : getField(document, '_id'),
    );
    checkIdKept(document, result);
    if (result.equals(document)) return document;
    checkSize(result);
    return result;
  }

  upsertDocument(filter: Buffer): Buffer {
    return finishUpsert(this.apply(documentFromFilter(filter, this.context, true)));
  }
}

/** A zero timestamp at the top level, other than `_id`, stands for "now". */
function withCurrentTimestamps(document: Buffer, { clock }: QueryContext): Buffer {
  const fields = [...fieldsOf(document)];
  const isUnset = ([name, value]: [string, RawValue]): boolean =>
    name !== '_id' &&
    value.type === BsonType.timestamp &&
    value.asTimestamp().seconds === 0 &&
    value.asTimestamp().increment === 0;
  if (!fields.some(isUnset)) return document;
  const seconds = Math.floor(clock.wallMs() / 1000);
  const result = new DocumentBuilder(document.length);
  let increment = 0;
  for (const field of fields) {
    const [name, value] = field;
    if (isUnset(field)) increment += 1;
    result.append(name, isUnset(field) ? timestampValue(seconds, increment) : value);
  }
  return result.finish();
}

/** Stages that may stand in an update; others would need more than one document. */
const PIPELINE_STAGES: ReadonlySet<string> = new Set([
  '$addFields',
  '$project',
  '$replaceRoot',
  '$replaceWith',
  '$set',
  '$unset',
]);

function compilePipelineKind(update: RawValue, options: UpdateOptions): Update {
  uassert(
    (options.arrayFilters ?? []).length === 0,
    'FailedToParse',
    'arrayFilters may not be specified for pipeline-style updates',
  );
  const stages = Array.from(fieldsOf(update.asDocument()), ([, stage]) => {
    uassert(
      stage.type === BsonType.object,
      'TypeMismatch',
      "Each element of the 'pipeline' array must be an object",
    );
    return stage.asDocument();
  });
  for (const stage of stages) checkStage(stage);
  const { compilePipeline, context, constants } = options;
  uassert(
    compilePipeline !== undefined,
    'InternalError',
    'no compiler for update pipelines was given',
  );
  const withConstants = constants === undefined ? context : contextWith(context, constants);
  const { result: compiled, longWork } = meetsLongWork(() =>
    meetsScripts(context.scripts, () => compilePipeline(stages, withConstants)),
  );
  return new PipelineUpdate(compiled.result, context, {
    usesScripts: compiled.session !== undefined,
    longWork,
  });
}

function checkStage(stage: Buffer): void {
  const name = firstFieldName(stage);
  uassert(
    name !== undefined && [...fieldsOf(stage)].length === 1,
    40323,
    'A pipeline stage specification object must contain exactly one field.',
  );
  if (PIPELINE_STAGES.has(name)) return;
  throw new CommandError('InvalidOptions', `${name} is not allowed to be used within an update`);
}

function contextWith(context: QueryContext, constants: Buffer): QueryContext {
  const variables: Variables = new Map([...context.variables, ...fieldsOf(constants)]);
  return withVariables(context, variables);
}

class PipelineUpdate implements Update {
  readonly kind = 'pipeline';
  readonly needsPosition = false;
  private readonly transform: (document: Buffer) => Buffer;
  readonly usesScripts: boolean;
  readonly longWork: LongWork | undefined;
  private readonly context: QueryContext;

  constructor(
    transform: (document: Buffer) => Buffer,
    context: QueryContext,
    needs: { readonly usesScripts: boolean; readonly longWork: LongWork | undefined },
  ) {
    this.usesScripts = needs.usesScripts;
    this.longWork = needs.longWork;
    this.transform = transform;
    this.context = context;
  }

  apply(document: Buffer): Buffer {
    const transformed = this.transform(document);
    if (transformed === document) return document;
    const id = getField(transformed, '_id') ?? getField(document, '_id');
    const result = withIdFirst(transformed, id);
    checkIdKept(document, result);
    if (result.equals(document)) return document;
    checkDepth(result);
    checkSize(result);
    return result;
  }

  upsertDocument(filter: Buffer): Buffer {
    return finishUpsert(this.apply(documentFromFilter(filter, this.context, false)));
  }
}

/** `_id` stands first, and is a value that may be one. */
function finishUpsert(document: Buffer): Buffer {
  const id = getField(document, '_id');
  if (id === undefined) return document;
  checkIdValue(id);
  return withIdFirst(document);
}

/**
 * Options of `flint import`: names and meanings are mongoimport's, as far as they are of use here.
 */
import { readFileSync } from 'node:fs';
import type { MongoClientOptions } from '../../client/index.ts';
import { numberOf, TARGET_OPTIONS, textOf } from '../command-line/target.ts';
import { UsageError, type GivenOptions, type OptionDefinition } from '../../server/index.ts';
import { splitFields, type ParseGrace } from './columns.ts';
import type { ImportMode } from './statements.ts';

const INPUT = 'Input';
const WRITING = 'Writing';
const OUTPUT = 'Output';

export type InputType = 'json' | 'csv' | 'tsv' | 'bson';

export interface ImportOptions {
  /** '-': standard input. */
  readonly file: string;
  readonly type: InputType;
  readonly asArray: boolean;
  /** undefined: the first line has them. */
  readonly headers: readonly string[] | undefined;
  readonly typed: boolean;
  readonly arrayIndexes: boolean;
  readonly ignoreBlanks: boolean;
  readonly grace: ParseGrace;
  readonly mode: ImportMode;
  readonly keyFields: readonly string[];
  readonly drop: boolean;
  readonly ordered: boolean;
  readonly stopOnError: boolean;
  readonly bypassValidation: boolean;
  readonly parallel: number;
  readonly batchDocuments: number;
  readonly client: MongoClientOptions;
}

export const IMPORT_OPTIONS: readonly OptionDefinition[] = [
  { flag: 'help', short: 'h', type: 'switch', group: OUTPUT, help: 'Shows this text.' },
  ...TARGET_OPTIONS,
  {
    flag: 'file',
    type: 'string',
    value: '<file>',
    group: INPUT,
    help: 'What to import; may also be given without the flag. - or nothing: standard input. Files packed with gzip are unpacked.',
  },
  {
    flag: 'type',
    type: 'string',
    value: 'json|csv|tsv|bson',
    group: INPUT,
    help: "Default: what the file's name ends in, else json.",
  },
  {
    flag: 'jsonArray',
    type: 'switch',
    group: INPUT,
    help: 'The file is one JSON array of documents.',
  },
  {
    flag: 'headerline',
    type: 'switch',
    group: INPUT,
    help: "The first line has the columns' names (CSV, TSV).",
  },
  {
    flag: 'fields',
    short: 'f',
    type: 'string',
    value: '<name>[,<name>]',
    group: INPUT,
    help: "The columns' names (CSV, TSV).",
  },
  {
    flag: 'fieldFile',
    type: 'string',
    value: '<file>',
    group: INPUT,
    help: "The columns' names, one on each line (CSV, TSV).",
  },
  {
    flag: 'columnsHaveTypes',
    type: 'switch',
    group: INPUT,
    help: 'Names of columns say types: age.int32(), when.date(2006-01-02), picture.binary(base64). Types: auto, binary, boolean, date, date_go, date_ms, date_oracle, decimal, double, int32, int64, string.',
  },
  {
    flag: 'parseGrace',
    type: 'string',
    value: 'stop|autoCast|skipField|skipRow',
    group: INPUT,
    help: "What becomes of a cell that is not of its column's type. Default stop.",
  },
  {
    flag: 'ignoreBlanks',
    type: 'switch',
    group: INPUT,
    help: 'Empty cells become no field (CSV, TSV).',
  },
  {
    flag: 'useArrayIndexFields',
    type: 'switch',
    group: INPUT,
    help: 'Numbers in names of columns are elements of arrays: tags.0, tags.1 (CSV, TSV).',
  },
  {
    flag: 'legacy',
    type: 'switch',
    group: INPUT,
    help: '',
    refused:
      'Extended JSON of version 1 is not read; convert it with mongoimport --legacy and mongoexport.',
  },
  {
    flag: 'mode',
    type: 'string',
    value: 'insert|upsert|merge|delete',
    group: WRITING,
    help: 'insert: new documents only. upsert: replaces what has the same key fields. merge: sets the fields that the file has. delete: deletes what has the same key fields. Default insert.',
  },
  {
    flag: 'upsertFields',
    type: 'list',
    value: '<name>[,<name>]',
    group: WRITING,
    help: 'Key fields of --mode upsert (then the default), merge and delete. Default _id.',
  },
  { flag: 'drop', type: 'switch', group: WRITING, help: 'Drops the collection before.' },
  {
    flag: 'stopOnError',
    type: 'switch',
    group: WRITING,
    help: 'Stops at the first document that the server refuses. Other modes than insert always do.',
  },
  {
    flag: 'maintainInsertionOrder',
    type: 'switch',
    group: WRITING,
    help: 'Writes in the order of the file, and stops at the first document that the server refuses.',
  },
  {
    flag: 'bypassDocumentValidation',
    type: 'switch',
    group: WRITING,
    help: "Writes past the collection's validator.",
  },
  {
    flag: 'writeConcern',
    type: 'string',
    value: '<w>|<json>',
    group: WRITING,
    help: `Such as majority, 1, or '{"w": "majority", "wtimeout": 500}'.`,
  },
  {
    flag: 'numInsertionWorkers',
    short: 'j',
    type: 'integer',
    value: '<number>',
    range: [1, 16],
    group: WRITING,
    help: 'Batches under way at the same time. Default 2.',
  },
  {
    flag: 'batchSize',
    type: 'integer',
    value: '<number>',
    range: [1, 100_000],
    group: WRITING,
    help: 'Most documents of a batch. Default 1000.',
  },
  { flag: 'quiet', type: 'switch', group: OUTPUT, help: 'Shows no progress.' },
  { flag: 'json', type: 'switch', group: OUTPUT, help: 'Prints a summary as one line of JSON.' },
];

const TYPES: readonly InputType[] = ['json', 'csv', 'tsv', 'bson'];
const MODES: readonly ImportMode[] = ['insert', 'upsert', 'merge', 'delete'];
const GRACES: readonly ParseGrace[] = ['stop', 'autoCast', 'skipField', 'skipRow'];
const FOR_TABLES = [
  'headerline',
  'fields',
  'fieldFile',
  'columnsHaveTypes',
  'parseGrace',
  'ignoreBlanks',
  'useArrayIndexFields',
];
const DEFAULT_PARALLEL = 2;
const DEFAULT_BATCH = 1000;

/** @throws UsageError for what does not go together. */
export function importOptions(
  given: GivenOptions,
  positionalFile: string | undefined,
): ImportOptions {
  const file = fileOf(given, positionalFile);
  const type = choice(given, 'type', TYPES) ?? typeOfName(file);
  const isTable = type === 'csv' || type === 'tsv';
  const misplaced = isTable ? undefined : FOR_TABLES.find((flag) => given.has(flag));
  if (misplaced !== undefined)
    throw new UsageError(`--${misplaced} is for --type csv and tsv, not ${type}.`);
  if (given.has('jsonArray') && type !== 'json')
    throw new UsageError(`--jsonArray is for --type json, not ${type}.`);
  const mode = modeOf(given);
  const isKeyed = mode !== 'insert';
  const ordered = isKeyed || given.get('maintainInsertionOrder') === true;
  return {
    file,
    type,
    asArray: given.get('jsonArray') === true,
    headers: isTable ? headersOf(given) : undefined,
    typed: given.get('columnsHaveTypes') === true,
    arrayIndexes: given.get('useArrayIndexFields') === true,
    ignoreBlanks: given.get('ignoreBlanks') === true,
    grace: choice(given, 'parseGrace', GRACES) ?? 'stop',
    mode,
    keyFields: listOf(given, 'upsertFields') ?? ['_id'],
    drop: given.get('drop') === true,
    ordered,
    stopOnError: ordered || given.get('stopOnError') === true,
    bypassValidation: given.get('bypassDocumentValidation') === true,
    parallel: ordered ? 1 : (numberOf(given, 'numInsertionWorkers') ?? DEFAULT_PARALLEL),
    batchDocuments: numberOf(given, 'batchSize') ?? DEFAULT_BATCH,
    client: writeConcernOf(textOf(given, 'writeConcern')),
  };
}

/** The collection that a file is for when none is named: its name without endings. @throws UsageError */
export function collectionOfFile(file: string): string {
  const name = file === '-' ? '' : (file.split(/[/\\]/).at(-1) ?? '');
  const collection = name.replace(/\.gz$/, '').replace(/\.[^.]*$/, '');
  if (collection === '') throw new UsageError('flint import needs --collection.');
  return collection;
}

function fileOf(given: GivenOptions, positional: string | undefined): string {
  const flag = textOf(given, 'file');
  if (flag !== undefined && positional !== undefined) {
    throw new UsageError(`the file is given twice: '${flag}' and '${positional}'.`);
  }
  return flag ?? positional ?? '-';
}

function typeOfName(file: string): InputType {
  const ending = /\.([a-z]+)(?:\.gz)?$/i.exec(file)?.[1]?.toLowerCase();
  return TYPES.find((type) => type === ending) ?? 'json';
}

function headersOf(given: GivenOptions): readonly string[] | undefined {
  const ways = ['headerline', 'fields', 'fieldFile'].filter((flag) => given.has(flag));
  if (ways.length > 1) throw new UsageError(`--${ways[0]} and --${ways[1]} do not go together.`);
  if (ways.length === 0) {
    throw new UsageError(
      "say where the columns' names are: --headerline, --fields or --fieldFile.",
    );
  }
  const fields = textOf(given, 'fields');
  if (fields !== undefined) return splitFields(fields);
  const file = textOf(given, 'fieldFile');
  return file === undefined ? undefined : fieldsOfFile(file);
}

/** @throws UsageError when it cannot be read. */
export function fieldsOfFile(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split(/\r?\n/)
      .filter((line) => line !== '');
  } catch (error) {
    throw new UsageError(`--fieldFile: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function modeOf(given: GivenOptions): ImportMode {
  const mode = choice(given, 'mode', MODES);
  if (!given.has('upsertFields')) return mode ?? 'insert';
  if (mode === 'insert')
    throw new UsageError('--upsertFields and --mode insert do not go together.');
  return mode ?? 'upsert';
}

function writeConcernOf(text: string | undefined): MongoClientOptions {
  if (text === undefined) return {};
  if (!text.trim().startsWith('{')) {
    return { w: /^\d+$/.test(text) ? Number(text) : text };
  }
  try {
    const parsed: unknown = JSON.parse(text);
    const { w, j, wtimeout, ...rest } = Object(parsed);
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw new UsageError(`--writeConcern has no field '${unknown}'.`);
    return {
      ...(w === undefined ? {} : { w }),
      ...(j === undefined ? {} : { journal: j === true }),
      ...(wtimeout === undefined ? {} : { wtimeoutMS: Number(wtimeout) }),
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--writeConcern: '${text}' is no JSON.`);
  }
}

/** @throws UsageError for anything else than the choices. */
export function choice<T extends string>(
  given: GivenOptions,
  flag: string,
  choices: readonly T[],
): T | undefined {
  const value = textOf(given, flag);
  const found = choices.find((each) => each === value);
  if (value === undefined || found !== undefined) return found;
  throw new UsageError(`--${flag} is one of ${choices.join(', ')}, not '${value}'.`);
}

function listOf(given: GivenOptions, flag: string): readonly string[] | undefined {
  const value = given.get(flag);
  return Array.isArray(value) ? value.map(String) : undefined;
}

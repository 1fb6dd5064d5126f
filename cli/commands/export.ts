/**
 * `flint export`: documents of a collection to a file or to standard output. Options are mongoexport's.
 *
 * Promises: memory for a batch of documents; standard output carries nothing but the documents; a file that is there is
 * not written over without --force.
 */
import { readFileSync } from 'node:fs';
import { fieldsOf as fieldsOfDocument, parseExtendedJson } from '../../bson/index.ts';
import { ReadPreference, type BaseClient, type FindOptions } from '../../client/index.ts';
import { CommandError } from '../../common/errors.ts';
import { UsageError, type GivenOptions, type OptionDefinition } from '../../server/index.ts';
import { withClient } from '../command-line/connect.ts';
import { documentText, Progress } from '../command-line/progress.ts';
import { FailedCommand, type Subcommand } from '../command-line/subcommand.ts';
import { numberOf, TARGET_OPTIONS, targetOf, textOf } from '../command-line/target.ts';
import {
  BSON_FORMAT,
  jsonFormat,
  tableFormat,
  type DocumentFormat,
} from '../export/document-format.ts';
import { splitFields } from '../import/columns.ts';
import { choice, fieldsOfFile } from '../import/import-options.ts';
import { EXIT } from '../programs/exit-codes.ts';
import { ByteSink } from '../transfer/byte-sink.ts';
import { plainDocument } from '../transfer/create-namespace.ts';
import { bytesOf } from '../transfer/namespaces.ts';

const QUERY = 'Query';
const OUTPUT = 'Output';
const TYPES = ['json', 'csv', 'tsv', 'bson'] as const;
const FORMATS = ['relaxed', 'canonical'] as const;

const OPTIONS: readonly OptionDefinition[] = [
  { flag: 'help', short: 'h', type: 'switch', group: OUTPUT, help: 'Shows this text.' },
  ...TARGET_OPTIONS,
  {
    flag: 'query',
    short: 'q',
    type: 'string',
    value: '<json>',
    group: QUERY,
    help: `Which documents, in Extended JSON: '{"price": {"$gt": 1}}'.`,
  },
  {
    flag: 'queryFile',
    type: 'string',
    value: '<file>',
    group: QUERY,
    help: 'The same, from a file.',
  },
  {
    flag: 'sort',
    type: 'string',
    value: '<json>',
    group: QUERY,
    help: `In which order: '{"price": 1}'.`,
  },
  {
    flag: 'skip',
    type: 'integer',
    value: '<number>',
    range: [0, Number.MAX_SAFE_INTEGER],
    group: QUERY,
    help: 'Leaves out the first so many.',
  },
  {
    flag: 'limit',
    type: 'integer',
    value: '<number>',
    range: [0, Number.MAX_SAFE_INTEGER],
    group: QUERY,
    help: 'So many at most; 0: all.',
  },
  {
    flag: 'readPreference',
    type: 'string',
    value: '<mode>',
    group: QUERY,
    help: 'primary, primaryPreferred, secondary, secondaryPreferred or nearest.',
  },
  { flag: 'allowDiskUse', type: 'switch', group: QUERY, help: 'Lets the server sort on its disk.' },
  {
    flag: 'assertExists',
    type: 'switch',
    group: QUERY,
    help: 'Fails when there is no such collection.',
  },
  {
    flag: 'forceTableScan',
    type: 'switch',
    group: QUERY,
    help: '',
    refused: 'a collection is read as it lies there anyway.',
  },
  {
    flag: 'out',
    short: 'o',
    type: 'string',
    value: '<file>',
    group: OUTPUT,
    help: 'Where to write; - or nothing: standard output.',
  },
  { flag: 'force', type: 'switch', group: OUTPUT, help: 'Writes over a file that is there.' },
  { flag: 'gzip', type: 'switch', group: OUTPUT, help: 'Packs the output.' },
  {
    flag: 'type',
    type: 'string',
    value: 'json|csv|tsv|bson',
    group: OUTPUT,
    help: "Default: what the file's name ends in, else json.",
  },
  {
    flag: 'fields',
    short: 'f',
    type: 'string',
    value: '<name>[,<name>]',
    group: OUTPUT,
    help: 'Which fields; CSV and TSV need them. Of other types the fields besides _id.',
  },
  {
    flag: 'fieldFile',
    type: 'string',
    value: '<file>',
    group: OUTPUT,
    help: 'The same, one on each line.',
  },
  {
    flag: 'noHeaderLine',
    type: 'switch',
    group: OUTPUT,
    help: "No first line with the columns' names (CSV, TSV).",
  },
  { flag: 'jsonArray', type: 'switch', group: OUTPUT, help: 'Writes one JSON array.' },
  {
    flag: 'jsonFormat',
    type: 'string',
    value: 'relaxed|canonical',
    group: OUTPUT,
    help: 'canonical: every type comes back exactly. Default relaxed.',
  },
  { flag: 'pretty', type: 'switch', group: OUTPUT, help: 'Writes JSON for people.' },
  { flag: 'quiet', type: 'switch', group: OUTPUT, help: 'Shows no progress.' },
];

export const exportDocuments: Subcommand = {
  name: 'export',
  summary: 'Exports a collection to JSON, CSV, TSV or BSON.',
  positionals: ['[uri]'],
  description: `Writes the documents of a collection, or of a query, to a file or to standard output. Options are named as
mongoexport's. JSON is Extended JSON; relaxed JSON, CSV and TSV do not keep every type: canonical JSON and BSON do.
Exit code: 0 all of it was exported, 1 it could not be done.

Examples:
  flint export mongodb://localhost:27017/shop --collection items --out items.json
  flint export mongodb://localhost/shop -c items --query '{"price": {"$gt": 1}}' --sort '{"price": 1}' --jsonArray
  flint export mongodb://localhost/shop -c items --fields sku,price --out items.csv
  flint export mongodb://localhost/shop -c items --jsonFormat canonical --gzip | ssh backup 'cat > items.json.gz'`,
  options: OPTIONS,
  async run(given, [positional]) {
    const { uri, database, collection } = targetOf(given, positional);
    if (collection === undefined) throw new UsageError('flint export needs --collection.');
    const format = formatOf(given);
    const query = queryOf(given);
    return withClient(uri, async (client) => {
      const place = { database, collection };
      if (given.get('assertExists') === true) await assertExists(client, place);
      await exportAll(client, place, { given, format, query });
      return EXIT.clean;
    });
  },
};

interface Place {
  readonly database: string;
  readonly collection: string;
}

interface Query {
  readonly filter: object;
  readonly options: FindOptions;
}

async function exportAll(
  client: BaseClient,
  { database, collection }: Place,
  { given, format, query }: { given: GivenOptions; format: DocumentFormat; query: Query },
): Promise<void> {
  const source = client.db(database).collection(collection);
  const progress = new Progress({ quiet: given.get('quiet') === true });
  const isWhole = Object.keys(query.filter).length === 0 && query.options.limit === undefined;
  const total = isWhole ? await countOf(client, { database, collection }) : query.options.limit;
  const task = progress.begin(`${database}.${collection}`, { total });
  const sink = sinkOf(given);
  let count = 0;
  try {
    await sink.write(Buffer.from(format.head));
    for await (const document of source.find(query.filter, { ...query.options, raw: true })) {
      await sink.write(format.format(bytesOf(document), count));
      count += 1;
      task.advance(1);
    }
    await sink.write(Buffer.from(format.foot));
    await sink.end();
  } catch (error) {
    await sink.abandon();
    throw error;
  }
  task.end(documentText(count));
}

/** @returns undefined for a view: counting it may take as long as reading it. */
async function countOf(
  client: BaseClient,
  { database, collection }: Place,
): Promise<number | undefined> {
  const [info] = await client.db(database).listCollections({ name: collection }).toArray();
  if (info?.type === 'view') return undefined;
  return client.db(database).collection(collection).estimatedDocumentCount();
}

async function assertExists(client: BaseClient, { database, collection }: Place): Promise<void> {
  const found = await client.db(database).listCollections({ name: collection }).toArray();
  if (found.length === 0)
    throw new FailedCommand(`there is no collection ${database}.${collection}.`);
}

function sinkOf(given: GivenOptions): ByteSink {
  const out = textOf(given, 'out') ?? '-';
  const gzip = given.get('gzip') === true;
  if (out === '-') return ByteSink.toStandardOutput({ gzip });
  return ByteSink.toFile(out, { gzip, overwrite: given.get('force') === true });
}

function formatOf(given: GivenOptions): DocumentFormat {
  const type = choice(given, 'type', TYPES) ?? typeOfName(textOf(given, 'out'));
  const fields = fieldsOf(given);
  const isTable = type === 'csv' || type === 'tsv';
  refuseOthers(given, type, isTable);
  if (isTable) {
    if (fields === undefined) throw new UsageError(`--type ${type} needs --fields or --fieldFile.`);
    const headerLine = given.get('noHeaderLine') !== true;
    return tableFormat({ fields, tabs: type === 'tsv', headerLine });
  }
  if (type === 'bson') return BSON_FORMAT;
  return jsonFormat({
    relaxed: choice(given, 'jsonFormat', FORMATS) !== 'canonical',
    asArray: given.get('jsonArray') === true,
    pretty: given.get('pretty') === true,
  });
}

function refuseOthers(given: GivenOptions, type: string, isTable: boolean): void {
  const ofOthers = [
    ...(isTable ? [] : ['noHeaderLine']),
    ...(type === 'json' ? [] : ['jsonArray', 'jsonFormat', 'pretty']),
  ];
  const misplaced = ofOthers.find((flag) => given.has(flag));
  if (misplaced !== undefined) throw new UsageError(`--${misplaced} is not for --type ${type}.`);
}

function typeOfName(file = ''): (typeof TYPES)[number] {
  const ending = /\.([a-z]+)(?:\.gz)?$/i.exec(file)?.[1]?.toLowerCase();
  return TYPES.find((type) => type === ending) ?? 'json';
}

function fieldsOf(given: GivenOptions): readonly string[] | undefined {
  const fields = textOf(given, 'fields');
  const file = textOf(given, 'fieldFile');
  if (fields !== undefined && file !== undefined) {
    throw new UsageError('--fields and --fieldFile do not go together.');
  }
  if (fields !== undefined) return splitFields(fields);
  return file === undefined ? undefined : fieldsOfFile(file);
}

function queryOf(given: GivenOptions): Query {
  const { filter, sort } = { filter: filterOf(given), sort: textOf(given, 'sort') };
  const limit = numberOf(given, 'limit');
  const skip = numberOf(given, 'skip');
  const mode = textOf(given, 'readPreference');
  const fields = fieldsOf(given);
  return {
    filter,
    options: {
      noCursorTimeout: true,
      ...(sort === undefined ? {} : { sort: sortOf(sort) }),
      ...(limit === undefined || limit === 0 ? {} : { limit }),
      ...(skip === undefined ? {} : { skip }),
      ...(mode === undefined ? {} : { readPreference: readPreferenceOf(mode) }),
      ...(given.get('allowDiskUse') === true ? { allowDiskUse: true } : {}),
      ...(fields === undefined ? {} : { projection: projectionOf(fields) }),
    },
  };
}

/** Whole top-level fields: a projection takes no element of an array by its number. */
function projectionOf(fields: readonly string[]): Record<string, 1> {
  const tops = fields.map((field) => field.split('.')[0] ?? field);
  return Object.fromEntries(['_id', ...tops].map((name) => [name, 1]));
}

function filterOf(given: GivenOptions): object {
  const text = textOf(given, 'query');
  const file = textOf(given, 'queryFile');
  if (text !== undefined && file !== undefined) {
    throw new UsageError('--query and --queryFile do not go together.');
  }
  if (text !== undefined) return jsonOf(text, '--query');
  if (file === undefined) return {};
  try {
    return jsonOf(readFileSync(file, 'utf8'), '--queryFile');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--queryFile: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function sortOf(text: string): Map<string, 1 | -1> {
  const sort = new Map<string, 1 | -1>();
  for (const [name, value] of fieldsOfDocument(bytesOfJson(text, '--sort'))) {
    const direction = value.isNumber ? value.asNumber() : 0;
    if (direction !== 1 && direction !== -1) {
      throw new UsageError(`--sort: '${name}' is sorted by 1 or -1.`);
    }
    sort.set(name, direction);
  }
  return sort;
}

function readPreferenceOf(mode: string): ReadPreference {
  if (ReadPreference.isValid(mode)) return new ReadPreference(mode);
  throw new UsageError(`--readPreference: there is no mode '${mode}'.`);
}

function jsonOf(text: string, option: string): object {
  return plainDocument(bytesOfJson(text, option));
}

function bytesOfJson(text: string, option: string): Buffer {
  try {
    return parseExtendedJson(text);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UsageError(`${option} is no Extended JSON: ${error.message}.`);
  }
}

/**
 * `flint import`: documents of a file or of standard input into a collection. Options are mongoimport's.
 *
 * Promises: memory for a few batches, however large the file is; whatever cannot be imported is named with its line and
 * the reason.
 */
import { stat } from 'node:fs/promises';
import { parseExtendedJson } from '../../bson/index.ts';
import type { BaseClient } from '../../client/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { GivenOptions } from '../../server/index.ts';
import { withClient } from '../command-line/connect.ts';
import type { Namespace } from '../command-line/namespace-filter.ts';
import { documentText, Progress } from '../command-line/progress.ts';
import { FailedCommand, type Subcommand } from '../command-line/subcommand.ts';
import { isConnectionString, targetOf } from '../command-line/target.ts';
import {
  collectionOfFile,
  IMPORT_OPTIONS,
  importOptions,
  type ImportOptions,
} from '../import/import-options.ts';
import { jsonTexts } from '../import/json-texts.ts';
import type { PlacedDocument } from '../import/placed-document.ts';
import { rowDocuments } from '../import/row-documents.ts';
import { Statements } from '../import/statements.ts';
import { EXIT } from '../programs/exit-codes.ts';
import { BatchWriter, type StatementKind, type WriteCounts } from '../transfer/batch-writer.ts';
import { bsonDocuments } from '../transfer/bson-documents.ts';
import { byteSource } from '../transfer/byte-source.ts';
import { dropNamespace } from '../transfer/create-namespace.ts';

export const importDocuments: Subcommand = {
  name: 'import',
  summary: 'Imports JSON, CSV, TSV or BSON into a collection.',
  positionals: ['[uri]', '[file]'],
  description: `Writes the documents of a file, or of standard input, to a collection. JSON is Extended JSON, canonical or
relaxed: one document behind the other, or one array with --jsonArray. Options are named as mongoimport's.
What the server refuses is named with its line, and the others are written, unless --stopOnError.
Exit code: 0 all of it was imported, 1 not all of it.

Examples:
  flint import mongodb://localhost:27017/shop items.json
  flint import mongodb://localhost/shop items.csv --headerline --drop
  flint import mongodb://localhost/shop items.csv --columnsHaveTypes --fields 'sku.string(),since.date(2006-01-02)'
  flint import mongodb://localhost/shop changes.json --collection items --mode merge --upsertFields sku
  curl https://example.org/items.json | flint import --db shop --collection items --jsonArray`,
  options: IMPORT_OPTIONS,
  run(given, names) {
    const [uri, file] =
      names.length === 1 && !isConnectionString(names[0]) ? [undefined, ...names] : names;
    const options = importOptions(given, file);
    const {
      uri: server,
      database,
      collection = collectionOfFile(options.file),
    } = targetOf(given, uri);
    return withClient(
      server,
      async (client) => {
        const importer = new Importer(client, { database, collection }, options, given);
        return importer.run();
      },
      options.client,
    );
  },
};

/** Refusals that are told one by one; the others are counted. */
const TOLD_REFUSALS = 10;

class Importer {
  private readonly client: BaseClient;
  private readonly namespace: Namespace;
  private readonly options: ImportOptions;
  private readonly progress: Progress;
  private readonly asJson: boolean;
  private readonly writers = new Map<StatementKind, BatchWriter>();
  private current: BatchWriter | undefined;
  private told = 0;
  private skipped = 0;

  constructor(
    client: BaseClient,
    namespace: Namespace,
    options: ImportOptions,
    given: GivenOptions,
  ) {
    this.client = client;
    this.namespace = namespace;
    this.options = options;
    this.progress = new Progress({ quiet: given.get('quiet') === true });
    this.asJson = given.get('json') === true;
  }

  async run(): Promise<number> {
    const { drop, mode, keyFields, file } = this.options;
    const total = file === '-' ? undefined : await sizeOf(file);
    const { database, collection } = this.namespace;
    const task = this.progress.begin(`${database}.${collection}`, { total, unit: 'bytes' });
    if (file === '-' && process.stdin.isTTY) this.progress.say('Reading from standard input.');
    if (drop) await dropNamespace(this.client, this.namespace);
    const statements = new Statements(mode, keyFields);
    try {
      for await (const { document, place } of this.documents((bytes) => task.advance(bytes))) {
        const statement = statements.of(document);
        if (statement === undefined)
          this.skip(place, `it has none of the fields ${keyFields.join(', ')}`);
        else await this.write(statement.kind, statement.bytes, place);
      }
      await this.current?.flush();
    } catch (error) {
      // What was read before is written, so that the counts are true; a failure of that says less.
      await this.current?.flush().catch(() => undefined);
      this.report();
      throw error;
    }
    const counts = this.report();
    return counts.refused + this.skipped === 0 ? EXIT.clean : EXIT.failed;
  }

  private async *documents(onRead: (bytes: number) => void): AsyncGenerator<PlacedDocument> {
    const { file, type, asArray } = this.options;
    const { bytes, place } = byteSource(file, onRead);
    if (type === 'bson') {
      for await (const { document, offset } of bsonDocuments(bytes, place)) {
        yield { document, place: offset };
      }
    } else if (type === 'json') {
      for await (const { text, line } of jsonTexts(bytes, asArray)) {
        yield { document: fromJson(text, line), place: line };
      }
    } else {
      yield* rowDocuments(bytes, {
        ...this.options,
        tabs: type === 'tsv',
        onSkipped: (_line, why) => this.tell(`left out: ${why}`, () => (this.skipped += 1)),
      });
    }
  }

  /** Statements of different kinds keep their order. */
  private async write(kind: StatementKind, bytes: Buffer, place: number): Promise<void> {
    const writer = this.writers.get(kind) ?? this.writerOf(kind);
    if (this.current !== undefined && this.current !== writer) await this.current.flush();
    this.current = writer;
    await writer.add(bytes, place);
  }

  private writerOf(kind: StatementKind): BatchWriter {
    const { stopOnError, bypassValidation, batchDocuments, parallel } = this.options;
    const writer = new BatchWriter(this.client, this.namespace, {
      kind,
      ordered: stopOnError,
      bypassValidation,
      batchDocuments,
      parallel,
      onRefused: ({ place, message }) => this.tell(`${this.placeName(place)}: ${message}`),
    });
    this.writers.set(kind, writer);
    return writer;
  }

  private skip(place: number, why: string): void {
    this.tell(`left out: ${this.placeName(place)}: ${why}`, () => (this.skipped += 1));
  }

  private placeName(place: number): string {
    return this.options.type === 'bson' ? `offset ${place}` : `line ${place}`;
  }

  private tell(line: string, count: () => void = () => {}): void {
    count();
    this.told += 1;
    if (this.told <= TOLD_REFUSALS) this.progress.say(line);
    if (this.told === TOLD_REFUSALS) this.progress.say('Further refusals are only counted.');
  }

  private report(): WriteCounts {
    const counts: WriteCounts = {
      inserted: 0,
      matched: 0,
      modified: 0,
      upserted: 0,
      deleted: 0,
      refused: 0,
    };
    for (const writer of this.writers.values()) {
      for (const name of COUNTED) counts[name] += writer.counts[name];
    }
    const { inserted, matched, upserted, deleted, refused } = counts;
    const parts = [
      ...(this.options.mode === 'insert' || inserted > 0
        ? [`${documentText(inserted)} imported`]
        : []),
      ...(matched > 0 ? [`${documentText(matched)} changed`] : []),
      ...(upserted > 0 ? [`${documentText(upserted)} added`] : []),
      ...(deleted > 0 || this.options.mode === 'delete'
        ? [`${documentText(deleted)} deleted`]
        : []),
      ...(this.skipped > 0 ? [`${this.skipped} left out`] : []),
      `${refused} refused`,
    ];
    this.progress.say(`${parts.join(', ')}.`);
    if (this.asJson)
      process.stdout.write(`${JSON.stringify({ ...counts, skipped: this.skipped })}\n`);
    return counts;
  }
}

const COUNTED = ['inserted', 'matched', 'modified', 'upserted', 'deleted', 'refused'] as const;

function fromJson(text: string, line: number): Buffer {
  try {
    return parseExtendedJson(text);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new FailedCommand(`line ${line}: ${error.message}`);
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw new FailedCommand(
      `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

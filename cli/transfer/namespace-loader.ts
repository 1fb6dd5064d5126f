/**
 * Fills a server with whole namespaces: what they are first, then their documents, then their indexes.
 *
 * Owns: a writer of each namespace that is being filled. Used by restore and copy.
 * Promises: prepare() looks at all of them before it changes anything, so that a refusal leaves the server as it was.
 */
import type { BaseClient } from '../../client/index.ts';
import { documentText, type Progress, type Task } from '../command-line/progress.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { BatchWriter, type Refusal } from './batch-writer.ts';
import {
  createIndexes,
  createNamespace,
  dropNamespace,
  type NamespaceDefinition,
} from './create-namespace.ts';
import { dataCollectionOf } from './namespaces.ts';
import { getField } from '../../bson/index.ts';

export interface LoadOptions {
  readonly drop?: boolean;
  /** How the subcommand's user asks for that; default --drop. */
  readonly dropFlag?: string;
  readonly stopOnError?: boolean;
  /** Default true. */
  readonly indexes?: boolean;
  readonly progress: Progress;
}

/** Where a document came from. */
export interface Origin {
  /** A file, for messages. */
  readonly file?: string;
  readonly offset?: number;
  /** Documents that there will be of the namespace, as far as it is known. */
  readonly total?: number;
}

/** A namespace that is being filled. */
interface Filling {
  readonly writer: BatchWriter;
  readonly task: Task;
}

/** Refusals that are told one by one; the others are counted. */
const TOLD_REFUSALS = 10;

export class NamespaceLoader {
  documents = 0;
  refused = 0;
  private readonly client: BaseClient;
  private readonly options: LoadOptions;
  private readonly filling = new Map<NamespaceDefinition, Filling>();
  private readonly finished = new Set<NamespaceDefinition>();
  private prepared: readonly NamespaceDefinition[] = [];

  constructor(client: BaseClient, options: LoadOptions) {
    this.client = client;
    this.options = options;
  }

  /** Makes all of them, empty. @throws FailedCommand when one of them is there already and is not to be dropped. */
  async prepare(definitions: readonly NamespaceDefinition[]): Promise<void> {
    const existing = await this.existingOf(definitions);
    const { drop = false, dropFlag = '--drop' } = this.options;
    if (existing.length > 0 && !drop) {
      throw new FailedCommand(
        `${existing.map(nameOf).join(', ')} ${existing.length === 1 ? 'is' : 'are'} there already. Nothing was written. With ${dropFlag} they are dropped first.`,
      );
    }
    for (const definition of existing) await dropNamespace(this.client, definition);
    // A view may be made before what it shows; but then its pipeline is checked against nothing.
    const views = definitions.filter(({ kind }) => kind === 'view');
    for (const definition of [...definitions.filter(({ kind }) => kind !== 'view'), ...views]) {
      await createNamespace(this.client, definition);
    }
    this.prepared = definitions;
  }

  async add(definition: NamespaceDefinition, document: Buffer, origin: Origin = {}): Promise<void> {
    const filling = this.filling.get(definition) ?? this.begin(definition, origin);
    await filling.writer.add(document, origin.offset);
  }

  /** All documents were added: the indexes are made. Idempotent. */
  async finish(definition: NamespaceDefinition): Promise<void> {
    if (this.finished.has(definition)) return;
    this.finished.add(definition);
    const filling = this.filling.get(definition);
    this.filling.delete(definition);
    if (filling !== undefined) await filling.writer.flush();
    const inserted = filling?.writer.counts.inserted ?? 0;
    this.documents += inserted;
    const indexes =
      this.options.indexes === false ? 0 : await createIndexes(this.client, definition);
    const task = filling?.task ?? this.options.progress.begin(nameOf(definition));
    const what = contentText(definition, inserted);
    task.end(indexes === 0 ? what : `${what}, ${indexes} ${indexes === 1 ? 'index' : 'indexes'}`);
  }

  /** Those of which nothing came, too. */
  async finishAll(): Promise<void> {
    for (const definition of this.prepared) await this.finish(definition);
  }

  private begin(definition: NamespaceDefinition, { file = '', total }: Origin): Filling {
    const task = this.options.progress.begin(nameOf(definition), { total });
    const writer: BatchWriter = new BatchWriter(
      this.client,
      { database: definition.database, collection: dataCollectionOf(definition) },
      {
        ordered: this.options.stopOnError === true,
        // What a capped collection holds is in the order in which it came.
        parallel: isCapped(definition) ? 1 : 2,
        bypassValidation: true,
        onRefused: (refusal) => this.tell(definition, file, refusal),
        onWritten: ({ documents }) => task.advance(documents),
      },
    );
    const filling: Filling = { writer, task };
    this.filling.set(definition, filling);
    return filling;
  }

  private tell(definition: NamespaceDefinition, file: string, { place, message }: Refusal): void {
    this.refused += 1;
    const { progress } = this.options;
    if (this.refused > TOLD_REFUSALS) return;
    const where = file === '' ? '' : ` (${file}, offset ${place})`;
    progress.say(`${nameOf(definition)}${where}: ${message}`);
    if (this.refused === TOLD_REFUSALS) progress.say('Further refusals are only counted.');
  }

  private async existingOf(
    definitions: readonly NamespaceDefinition[],
  ): Promise<NamespaceDefinition[]> {
    const existing: NamespaceDefinition[] = [];
    for (const database of new Set(definitions.map((each) => each.database))) {
      const there = await this.client
        .db(database)
        .listCollections({}, { nameOnly: true })
        .toArray();
      const names = new Set(there.map(({ name }) => name));
      existing.push(
        ...definitions.filter((each) => each.database === database && names.has(each.collection)),
      );
    }
    return existing;
  }
}

function nameOf({ database, collection }: NamespaceDefinition): string {
  return `${database}.${collection}`;
}

function isCapped({ options }: NamespaceDefinition): boolean {
  const capped = getField(options, 'capped');
  return capped !== undefined && capped.isTruthy();
}

/** A time series is carried bucket by bucket. */
function contentText({ kind }: NamespaceDefinition, inserted: number): string {
  if (kind === 'view') return 'view';
  return kind === 'timeseries' ? `${inserted} buckets` : documentText(inserted);
}

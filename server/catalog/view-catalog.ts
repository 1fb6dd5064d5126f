/**
 * Views: their definitions in the catalog, and the documents in `<db>.system.views` that show them.
 *
 * Owns: what a view may be defined as: no cycles, no towers too high, no stage that writes, one collation; and that catalog
 * and system.views say the same, by writing both in one transaction.
 * Source: MongoDB's manual, "Views"; error codes GraphContainsCycle, ViewDepthLimitExceeded, OptionNotSupportedOnView.
 */
import {
  DocumentBuilder,
  documentOf,
  EMPTY_DOCUMENT,
  encodeIndexKey,
  firstFieldName,
  getField,
  stringValue,
} from '../../bson/index.ts';
import { tassert, uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../common/limits.ts';
import { involvedNamespaces, stagesOf } from '../../query/index.ts';
import type {
  CollectionDescription,
  MaybePromise,
  ReadView,
  RecordId,
  Transaction,
} from '../../storage/index.ts';
import { namespaceOf, splitNamespace } from './namespace.ts';

/** Views on views, at most. */
const MAX_VIEW_DEPTH = 20;

const FORBIDDEN_STAGES: ReadonlySet<string> = new Set(['$out', '$merge', '$changeStream']);

/** A view as it is to be. */
export interface ViewDefinition {
  readonly namespace: string;
  /** Stored options: viewOn, pipeline, perhaps collation. */
  readonly options: Buffer;
}

/** @throws CommandError for a definition that could never be read, whatever the collections hold */
export function checkViewDefinition(view: ReadView, definition: ViewDefinition): void {
  const { namespace, options } = definition;
  stagesOf(getField(options, 'pipeline')).forEach((stage, position) => {
    const name = firstFieldName(stage) ?? '';
    uassert(
      !FORBIDDEN_STAGES.has(name),
      'OptionNotSupportedOnView',
      `The aggregation stage ${name} in location ${position} of the pipeline cannot be used in the view definition of ${namespace}`,
    );
  });
  const { database } = splitNamespace(namespace);
  namespaceOf(database, getField(options, 'viewOn')?.asString() ?? '');
  new ViewGraph(view, definition).check();
}

/** What a view reads, and the views among it, and so on. */
class ViewGraph {
  private readonly view: ReadView;
  private readonly changed: ViewDefinition;
  private readonly heights = new Map<string, number>();

  constructor(view: ReadView, changed: ViewDefinition) {
    this.view = view;
    this.changed = changed;
  }

  check(): void {
    this.heightOf(this.changed.namespace, []);
    // Views on top of the changed one reach further down than before.
    const { database } = splitNamespace(this.changed.namespace);
    for (const { kind, namespace } of this.view.collections(database)) {
      if (kind === 'view') this.heightOf(namespace, []);
    }
    uassert(
      this.pipelineBytes() <= MAX_BSON_OBJECT_BYTES,
      'ViewPipelineMaxSizeExceeded',
      `View pipeline is too large and exceeds maximum size of ${MAX_BSON_OBJECT_BYTES} bytes`,
    );
  }

  /** Views from this one down to a collection, itself included; 0 for what is no view. */
  private heightOf(namespace: string, path: readonly string[]): number {
    const known = this.heights.get(namespace);
    if (known !== undefined) return known;
    const cycleStart = path.indexOf(namespace);
    if (cycleStart >= 0) {
      const cycle = [...path.slice(cycleStart), namespace].join(' => ');
      throw new CommandError('GraphContainsCycle', `View cycle detected: ${cycle}`);
    }
    const options = this.optionsOf(namespace);
    if (options === undefined) return 0;
    let height = 0;
    for (const below of readBy(namespace, options)) {
      this.checkCollation(namespace, options, below);
      height = Math.max(height, this.heightOf(below, [...path, namespace]));
    }
    height += 1;
    uassert(
      height <= MAX_VIEW_DEPTH,
      'ViewDepthLimitExceeded',
      `View depth limit exceeded; maximum depth is ${MAX_VIEW_DEPTH}`,
    );
    this.heights.set(namespace, height);
    return height;
  }

  /** A view cannot sort its source by other rules than the source itself. */
  private checkCollation(namespace: string, options: Buffer, below: string): void {
    const belowOptions = this.optionsOf(below);
    if (belowOptions === undefined) return;
    const own = getField(options, 'collation')?.asDocument() ?? EMPTY_DOCUMENT;
    const other = getField(belowOptions, 'collation')?.asDocument() ?? EMPTY_DOCUMENT;
    uassert(
      own.equals(other),
      'OptionNotSupportedOnView',
      `View ${namespace} has conflicting collation with view ${below}`,
    );
  }

  /** undefined for what is no view. */
  private optionsOf(namespace: string): Buffer | undefined {
    if (namespace === this.changed.namespace) return this.changed.options;
    const found = this.view.collection(namespace);
    return found?.kind === 'view' ? found.options : undefined;
  }

  /** Of all pipelines from the changed view down to its collection. */
  private pipelineBytes(): number {
    let bytes = 0;
    let namespace = this.changed.namespace;
    for (;;) {
      const options = this.optionsOf(namespace);
      if (options === undefined) return bytes;
      bytes += options.length;
      namespace = sourceOf(namespace, options);
    }
  }
}

function sourceOf(namespace: string, options: Buffer): string {
  const { database } = splitNamespace(namespace);
  return `${database}.${getField(options, 'viewOn')?.asString() ?? ''}`;
}

function readBy(namespace: string, options: Buffer): string[] {
  const { database } = splitNamespace(namespace);
  const stages = stagesOf(getField(options, 'pipeline'));
  return [sourceOf(namespace, options), ...involvedNamespaces(stages, database)];
}

/** Creates a view, and system.views when it is the database's first. */
export function createView(transaction: Transaction, definition: ViewDefinition): void {
  const { namespace, options } = definition;
  transaction.createCollection(namespace, { kind: 'view', options });
  showView(transaction, definition);
}

/** Adds a definition to system.views, where a time series collection stands as the view that it is, too. */
export function showView(transaction: Transaction, { namespace, options }: ViewDefinition): void {
  const shown = systemViews(namespace);
  const collection = transaction.collection(shown) ?? transaction.createCollection(shown);
  transaction.insert(collection, shownDocument({ namespace, options }));
}

export function modifyView(
  transaction: Transaction,
  existing: CollectionDescription,
  options: Buffer,
): MaybePromise<void> {
  const { namespace } = existing;
  transaction.modifyCollection(existing, options);
  return changeShownView(transaction, { namespace, options });
}

/** Changes a definition in system.views. */
export function changeShownView(
  transaction: Transaction,
  { namespace, options }: ViewDefinition,
): MaybePromise<void> {
  return withShown(transaction, namespace, (collection, recordId, before) =>
    transaction.update(collection, recordId, before, shownDocument({ namespace, options })),
  );
}

export function dropView(
  transaction: Transaction,
  existing: CollectionDescription,
): MaybePromise<void> {
  transaction.dropCollection(existing);
  return hideView(transaction, existing.namespace);
}

/** Takes a definition out of system.views. */
export function hideView(transaction: Transaction, namespace: string): MaybePromise<void> {
  return withShown(transaction, namespace, (collection, recordId, before) =>
    transaction.delete(collection, recordId, before),
  );
}

/** Drops all views of a database: its system.views is dropped. */
export function dropViews(transaction: Transaction, database: string): void {
  for (const collection of transaction.collections(database)) {
    if (collection.kind === 'view') transaction.dropCollection(collection);
  }
}

const SYSTEM_VIEWS = 'system.views';

export function isSystemViews(namespace: string): boolean {
  return splitNamespace(namespace).collection === SYSTEM_VIEWS;
}

function systemViews(namespace: string): string {
  return `${splitNamespace(namespace).database}.${SYSTEM_VIEWS}`;
}

function shownDocument({ namespace, options }: ViewDefinition): Buffer {
  return new DocumentBuilder()
    .appendElementsOf(documentOf({ _id: namespace }))
    .appendElementsOf(options)
    .finish();
}

function withShown(
  transaction: Transaction,
  namespace: string,
  change: (collection: CollectionDescription, recordId: RecordId, before: Buffer) => void,
): MaybePromise<void> {
  const collection = transaction.collection(systemViews(namespace));
  tassert(collection !== undefined, 'a view without system.views');
  const { key } = encodeIndexKey([stringValue(namespace)], [1]);
  const recordId = transaction.uniqueRecordId(collection.indexes[0], key);
  tassert(recordId !== undefined, 'a view that system.views does not have');
  const changeRead = (before: Buffer | undefined): void => {
    tassert(before !== undefined, 'a record of system.views is gone');
    change(collection, recordId, before);
  };
  const before = transaction.record(collection, recordId);
  return before instanceof Promise ? before.then(changeRead) : changeRead(before);
}

/**
 * PROJECTION: shapes each document. The covered kind makes it from the index entry and fetches only when it must.
 */
import {
  arrayValue,
  ArrayBuilder,
  decodeIndexKey,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  int64Value,
  NULL,
  type RawValue,
  setField,
} from '../../bson/index.ts';
import { withMetadata } from '../document-metadata.ts';
import type { Filter } from '../matcher/filter.ts';
import type { DocumentMetadata, Projection } from '../projection/projection.ts';
import type { IndexDescription, ReadView } from '../../storage/index.ts';
import { apartFrom } from '../owned.ts';
import { CoveredDocument } from './covered-document.ts';
import type { Row } from './row.ts';
import type { SortOrder } from './sorter.ts';
import {
  type ExecutionContext,
  MapStage,
  PullStage,
  type Stage,
  type StageCounters,
  type Step,
} from './stage.ts';

/** A projection, and the query's filter when it has a positional `.$`. */
interface RowProjection {
  readonly projection: Projection;
  readonly filter: Filter | undefined;
  readonly sortKeys?: SortOrder;
}

export class Project extends MapStage {
  private readonly context: ExecutionContext;
  private readonly how: RowProjection;

  constructor(context: ExecutionContext, input: Stage, how: RowProjection) {
    super(input);
    this.context = context;
    this.how = how;
  }

  protected change(): void {
    const { row } = this.context;
    const projected = projectRow(row, this.how);
    // A projection that changes nothing gives back what it was given.
    row.document = row.isInPlace ? apartFrom(projected, row.document) : projected;
    row.isInPlace = false;
  }
}

/** The row's document, projected. */
export function projectRow(row: Row, { projection, filter, sortKeys }: RowProjection): Buffer {
  const position = projection.needsPosition ? filter?.matchPosition(row.document) : undefined;
  const metadata = projection.metadataNeeded.size > 0 ? metadataOf(row, sortKeys) : undefined;
  return projection.apply(row.document, position, metadata);
}

/** @param sortKeys for a row that no SORT has left its key in */
function metadataOf(row: Row, sortKeys: SortOrder | undefined): DocumentMetadata {
  const key = indexKeyOf(row);
  const sortKey = row.sortKey ?? sortKeys?.keyOf(row.document);
  return {
    ...(row.recordId === undefined ? {} : { recordId: int64Value(BigInt(row.recordId)) }),
    ...(key === undefined ? {} : { indexKey: key }),
    ...(sortKey === undefined ? {} : { sortKey: sortKeyValue(sortKey) }),
  };
}

/** One value per field of the sort pattern, as `{$meta: 'sortKey'}` shows them. */
export function sortKeyValue(key: readonly (RawValue | undefined)[]): RawValue {
  const values = new ArrayBuilder();
  for (const value of key) values.push(value ?? NULL);
  return arrayValue(values.finish());
}

/** The index entry as a document of its paths, undefined when the row comes from no index or its key was cut. */
export function indexKeyOf(row: Row): Buffer | undefined {
  const { index, key, typeBits } = row;
  if (index === undefined || key === undefined || typeBits === undefined) return undefined;
  if (!row.keyIsWhole) return undefined;
  const directions = index.fields.map((field) => field.direction);
  const values = decodeIndexKey(key, typeBits, directions);
  const builder = new DocumentBuilder();
  index.fields.forEach((field, position) => builder.append(field.path, values[position]!));
  return builder.finish();
}

/**
 * Only the index is read. A null in the entry may stand for a missing field: then the document decides.
 * The planner uses it only where no field of the index is an array; of arrays that come in later the scan says that keys are not whole.
 */
export class CoveredProject extends PullStage {
  readonly counters: StageCounters = { advanced: 0, docsExamined: 0, isEOF: false };
  private readonly context: ExecutionContext;
  private readonly input: Stage;
  private readonly projection: Projection;
  /** The query's, for documents that are read because their key was cut. */
  private readonly filter: Filter | undefined;
  private readonly makers = new Map<IndexDescription, CoveredDocument>();

  constructor(
    context: ExecutionContext,
    input: Stage,
    projection: Projection,
    filter: Filter | undefined,
  ) {
    super(context.yielder);
    this.filter = filter;
    this.context = context;
    this.input = input;
    this.projection = projection;
  }

  protected step(): Step {
    const moved = this.input.next();
    if (moved === false) return this.end();
    if (moved !== true) return this.afterInput(moved);
    return this.project();
  }

  private async afterInput(moved: Promise<boolean>): Promise<boolean | undefined> {
    if (!(await moved)) return this.end();
    return this.project();
  }

  private project(): Step {
    const { row, view, collection } = this.context;
    const covered = this.coveredDocument();
    if (covered !== undefined) return this.accept(covered);
    const document = view.record(collection, row.recordId!);
    this.counters.docsExamined! += 1;
    this.context.statistics.docsExamined += 1;
    if (document instanceof Promise) return document.then((loaded) => this.acceptRead(loaded));
    return this.acceptRead(document);
  }

  private acceptRead(document: Buffer | undefined): boolean | undefined {
    const isMatch = document !== undefined && (this.filter?.matches(document) ?? true);
    return isMatch ? this.accept(this.projection.apply(document)) : undefined;
  }

  private coveredDocument(): Buffer | undefined {
    const { row } = this.context;
    const { index, key, typeBits } = row;
    if (!row.keyIsWhole || index === undefined || key === undefined) return undefined;
    return this.makerOf(index).make(key, typeBits!);
  }

  private makerOf(index: IndexDescription): CoveredDocument {
    let maker = this.makers.get(index);
    if (maker === undefined) {
      maker = new CoveredDocument(index, this.projection.fieldsNeeded ?? []);
      this.makers.set(index, maker);
    }
    return maker;
  }

  /** @param document as the projection makes it: a key gives just its paths. */
  private accept(document: Buffer): true {
    this.context.row.document = document;
    this.counters.advanced += 1;
    return true;
  }

  detach(): void {
    this.input.detach();
  }

  attach(view: ReadView): void {
    this.input.attach(view);
  }

  close(): void {
    this.input.close();
  }
}

/** RETURN_KEY: the index entry in the document's place; an empty document without one. */
export class ReturnKey extends MapStage {
  private readonly context: ExecutionContext;

  constructor(context: ExecutionContext, input: Stage) {
    super(input);
    this.context = context;
  }

  protected change(): void {
    const { row } = this.context;
    row.document = indexKeyOf(row) ?? EMPTY_DOCUMENT;
  }
}

/** SHOW_RECORD_ID: adds the record id as `$recordId`. */
export class ShowRecordId extends MapStage {
  private readonly context: ExecutionContext;

  constructor(context: ExecutionContext, input: Stage) {
    super(input);
    this.context = context;
  }

  protected change(): void {
    const { row } = this.context;
    if (row.recordId === undefined) return;
    row.document = setField(row.document, '$recordId', int64Value(BigInt(row.recordId)));
  }
}

/** Makes what the row knows travel with the document, into the stages of a pipeline. */
export class AttachMetadata extends MapStage {
  private readonly context: ExecutionContext;

  private readonly sortKeys: SortOrder | undefined;

  constructor(context: ExecutionContext, input: Stage, sortKeys: SortOrder | undefined) {
    super(input);
    this.context = context;
    this.sortKeys = sortKeys;
  }

  protected change(): void {
    const { row } = this.context;
    row.document = withMetadata(row.document, metadataOf(row, this.sortKeys));
  }
}

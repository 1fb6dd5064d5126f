/**
 * What a kind of index is: the contract between its definition and those who ask: createIndexes, the engine, the planner.
 *
 * A kind is one small definition in kinds/, listed in registry.ts. Nobody else tells kinds apart by name.
 */
import type { Collator, RawValue } from '../../bson/index.ts';
import type { IndexDescription, KeyGenerator, ReadView } from '../../storage/index.ts';
import type { Bounds } from '../planner/leaf-bounds.ts';
import type { Predicate } from '../planner/predicate.ts';

/** What a client asks for: version and name aside, options in the order in which listIndexes will show them. */
export interface IndexRequest {
  readonly keyPattern: Buffer;
  readonly options: ReadonlyMap<string, RawValue>;
}

/** How the planner may use one field of a scan. */
export interface ScanField {
  /**
   * From values that a condition allows to keys that can hold them; undefined when the index does not serve the condition.
   * Complete as all bounds are; `exact` only if no other value has such a key.
   */
  keyBounds(bounds: Bounds): Bounds | undefined;
  /** Serves conditions on areas ($geoWithin, $geoIntersects), and no others. */
  readonly servesAreas?: boolean;
  /** Holds whatever the query says: the path of a wildcard scan. */
  readonly fixed?: Bounds;
  /** Entries come in the order of the field's values. */
  readonly isOrdered: boolean;
  /** The field's value can be read from the key. */
  readonly holdsValues: boolean;
  /** Without bounds on this field the scan does not find all matches. */
  readonly isRequired?: boolean;
}

/** One way to scan an index. Most indexes have one; a wildcard index has one for every path that the query names. */
export interface IndexScanShape {
  /** As this scan sees it: its fields are those of its keys, its multikey paths those of the fields. */
  readonly index: IndexDescription;
  /** One for each of the index's fields. */
  readonly fields: readonly ScanField[];
  /** Documents without a value at some field may have no entry: only bounds without null on one of these find all matches. */
  readonly sparse: boolean;
}

/** What a kind may ask of the query, and of the data, to say how it can be scanned. */
export interface ScanQuestion {
  readonly predicates: readonly Predicate[];
  readonly collator: Collator | undefined;
  readonly view: ReadView;
}

export interface IndexKind {
  /** As key patterns name it; 'ordered' and 'wildcard' for what they do not name. */
  readonly name: string;
  /** Checks what is special to the kind, and fills in its defaults. @throws CommandError CannotCreateIndex */
  complete(request: IndexRequest): IndexRequest;
  /** undefined: ordered fields, which storage makes by itself. A partial index's filter is applied by who calls. */
  keyGenerator(index: IndexDescription, collator: Collator | undefined): KeyGenerator | undefined;
  /**
   * Whether making a document's keys may take longer than a turn of the event loop: then a thread does it. Quick: it is asked for every
   * write. Absent: it never does.
   */
  readonly takesLong?: (index: IndexDescription, document: Buffer) => boolean;
  /** The top-level fields that keys are made of; undefined: possibly all. Absent when making them never takes long. */
  readonly fieldsOfKeys?: (index: IndexDescription) => ReadonlySet<string> | undefined;
  /** Empty when the index can be used by plan stages of its own only ($text, $near), or not by this query. */
  scanShapes(index: IndexDescription, question: ScanQuestion): readonly IndexScanShape[];
}

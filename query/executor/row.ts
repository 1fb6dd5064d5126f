/**
 * The row that travels up a plan's stages.
 *
 * Owns: one mutable row per executor. A stage whose next() gives true has filled it; the stage above reads it before it
 * pulls again. A stage that holds rows back (SORT) copies what it needs, and documents come in place only to those that do (build.ts).
 */
import { EMPTY_DOCUMENT, type RawValue } from '../../bson/index.ts';
import type { IndexDescription, RecordId } from '../../storage/index.ts';

export class Row {
  document: Buffer = EMPTY_DOCUMENT;
  /** The document is good until the next one is asked for: whoever keeps any of it copies that. */
  isInPlace = false;
  recordId: RecordId | undefined = undefined;
  /** Where an index scan stands: encoded key, type bits and index, decoded only by who needs values. */
  key: Buffer | undefined = undefined;
  typeBits: Buffer | undefined = undefined;
  keyIsWhole = true;
  index: IndexDescription | undefined = undefined;
  /** Left by a SORT stage, for {$meta: 'sortKey'}. */
  sortKey: readonly (RawValue | undefined)[] | undefined = undefined;
}

/**
 * A document to import, and where it stood.
 */
export interface PlacedDocument {
  readonly document: Buffer;
  /** A line, from 1; in BSON an offset in bytes. */
  readonly place: number;
}

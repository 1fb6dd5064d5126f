/**
 * Where a record's bytes lie. The record map keeps it (storage/format/record-map.ts).
 */

/** A record in a page. The page's size follows: a document too large for a shared page has one of its own. */
export interface Place {
  /** First sector of its page. */
  readonly sector: number;
  /** Its entry in the page's directory. */
  readonly slot: number;
  /** Length of the document, bytes. */
  readonly bytes: number;
  /** Generation that its page must have: another one on the disk is a lost write. */
  readonly generation: number;
}

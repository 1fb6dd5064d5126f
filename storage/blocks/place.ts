/**
 * Where a record's bytes lie. The record map keeps it (storage/format/record-map.ts).
 */

import type { CommitNumber } from '../contract.ts';

/** A record in a page. */
export interface Place {
  /** First sector of its page. */
  readonly sector: number;
  /** Length of its page. */
  readonly sectors: number;
  /** Its entry in the page's directory. */
  readonly slot: number;
  /** Length of the document, bytes, as it was before its page was compressed. */
  readonly bytes: number;
  /** Generation that its page must have: another one on the disk is a lost write. */
  readonly generation: number;
}

/** Where one version of a record lies. */
export interface CommittedPlace extends Place {
  /** Of the write that made it. */
  readonly commitNumber: CommitNumber;
}

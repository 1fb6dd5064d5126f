/**
 * What verify and repair say about a store: findings, and how far they are.
 */
import type { CorruptionKind } from '../../common/errors.ts';

/** Something that is not as it should be. */
export interface Finding {
  /** An error is damage, a warning is what does no harm by itself. */
  readonly severity: 'error' | 'warning';
  /** A kind of damage; `unreadable` when the disk itself fails. */
  readonly kind: CorruptionKind | 'unreadable';
  /** Such as "page", "superblock", "journal", "index store", "index". */
  readonly part: string;
  /** Within the data directory. */
  readonly file: string;
  /** Bytes from the file's beginning, where known. */
  readonly offset?: number;
  /** Bytes that are concerned, where known. */
  readonly length?: number;
  readonly namespace?: string;
  /** Records that are concerned, where known; not more than a hundred of them. */
  readonly recordIds?: readonly number[];
  readonly message: string;
}

/** Told now and then. */
export interface Progress {
  /** Such as "pages". */
  readonly step: string;
  readonly done: number;
  /** 0 when it is not known. */
  readonly total: number;
}

export type OnProgress = (progress: Progress) => void;
export type OnFinding = (finding: Finding) => void;

/**
 * An epoch: one base and the generations above it, newest first. Immutable; a checkpoint makes new ones.
 */
import type { Generation } from '../delta/generation.ts';
import type { BaseEpoch } from './base-epoch.ts';

export interface Epoch {
  readonly base: BaseEpoch;
  /** The active generation, and the frozen one while a checkpoint folds it. */
  readonly generations: readonly Generation[];
}

/**
 * A batch of writes as the client sent it, and what those who carry it out share.
 */
import type { OperationContext } from '../../server/cluster.ts';
import type { Router } from '../router.ts';
import type { Statement, WriteKind } from './statement.ts';
import type { WriteOutcome } from './write-outcome.ts';

export interface WriteBatch {
  readonly kind: WriteKind;
  readonly namespace: string;
  readonly ordered: boolean;
  /** The command as the client sent it, or one that says the same; its statements are left out. */
  readonly command: Buffer;
  readonly statements: readonly Statement[];
}

/** What a writer works with. */
export interface WriteScope {
  readonly router: Router;
  readonly op: OperationContext;
  readonly batch: WriteBatch;
  readonly outcome: WriteOutcome;
}

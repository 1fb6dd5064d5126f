/**
 * Where a stage puts what exceeds its memory: files of the store (storage/spill/), or of the system where there is none.
 */
import { SpillArea, type SpillSpace } from '../../storage/index.ts';

export type { SpillFile, SpillSpace } from '../../storage/index.ts';

/** For plans that are opened without a store's space. */
export const systemTemporaryFiles: SpillSpace = new SpillArea();

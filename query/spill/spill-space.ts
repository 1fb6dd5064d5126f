/**
 * Where a stage puts what exceeds its memory.
 *
 * Owns: the seam. Reads and writes are synchronous and large (about a megabyte): they cost less than handing them over.
 */

export interface SpillFile {
  /** Bytes written so far: where the next append begins. */
  readonly size: number;
  append(bytes: Buffer): void;
  /** Fills `into` from `offset` on. @returns how many bytes there were. */
  read(into: Buffer, offset: number): number;
  /** Gives the space back. Idempotent. */
  close(): void;
}

export interface SpillSpace {
  create(): SpillFile;
}

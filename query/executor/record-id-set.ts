/**
 * A set of record ids as bits: a scan of a hundred million records remembers them in a dozen megabytes, where a Set would take
 * gigabytes and ends at 2^24 entries.
 */
import type { RecordId } from '../../storage/index.ts';

/** Ids per piece; pieces exist only where there are ids. */
const PIECE_BITS = 65_536;

export class RecordIdSet {
  private readonly pieces = new Map<number, Uint8Array>();

  has(id: RecordId): boolean {
    const piece = this.pieces.get(Math.floor(id / PIECE_BITS));
    if (piece === undefined) return false;
    const bit = id % PIECE_BITS;
    return (piece[bit >> 3] & (1 << (bit & 7))) !== 0;
  }

  /** What the pieces take. */
  get bytes(): number {
    return this.pieces.size * (PIECE_BITS / 8);
  }

  add(id: RecordId): void {
    const number = Math.floor(id / PIECE_BITS);
    let piece = this.pieces.get(number);
    if (piece === undefined) {
      piece = new Uint8Array(PIECE_BITS / 8);
      this.pieces.set(number, piece);
    }
    const bit = id % PIECE_BITS;
    piece[bit >> 3] |= 1 << (bit & 7);
  }
}

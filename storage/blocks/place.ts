/**
 * Where a record's bytes lie: what the record map keeps per record, 16 bytes.
 *
 * Bytes: docs/format.md#place.
 */
import { invariant } from '../../common/assert.ts';
import { sectorNumber } from '../device/bio.ts';
import type { SectorNumber } from '../device/contract.ts';

/** A record in a page. */
export interface Place {
  /** First sector of its page. */
  readonly address: SectorNumber;
  /** Its entry in the page's directory. */
  readonly slot: number;
  /** Size of its page, sectors; 0 for a document that has a page of its own (the size follows from `bytes`). */
  readonly pageSectors: number;
  /** Generation that its page must have: another one on the disk is a lost write. */
  readonly generation: number;
  /** Length of the document, bytes. */
  readonly bytes: number;
}

/** docs/format.md#place */
export const PLACE = {
  addressLow: 0, // u32
  addressHigh: 4, // u8   address = high * 2^32 + low
  pageSectors: 5, // u8
  slot: 6, // u16
  generation: 8, // u32
  bytes: 12, // u32
  size: 16,
} as const;

const TWO_POW_32 = 4_294_967_296;

/** Writes a place into `target` at `offset`. @returns the offset behind it. */
export function encodePlace(place: Place, target: Buffer, offset: number): number {
  invariant(place.address < 256 * TWO_POW_32, 'place: address exceeds 40 bits');
  invariant(place.pageSectors < 256, 'place: page too large');
  target.writeUInt32LE(place.address % TWO_POW_32, offset + PLACE.addressLow);
  target[offset + PLACE.addressHigh] = Math.floor(place.address / TWO_POW_32);
  target[offset + PLACE.pageSectors] = place.pageSectors;
  target.writeUInt16LE(place.slot, offset + PLACE.slot);
  target.writeUInt32LE(place.generation, offset + PLACE.generation);
  target.writeUInt32LE(place.bytes, offset + PLACE.bytes);
  return offset + PLACE.size;
}

/** Reads the place that encodePlace wrote at `offset`. */
export function decodePlace(source: Buffer, offset: number): Place {
  const high = source[offset + PLACE.addressHigh] ?? 0;
  return {
    address: sectorNumber(source.readUInt32LE(offset + PLACE.addressLow) + high * TWO_POW_32),
    slot: source.readUInt16LE(offset + PLACE.slot),
    pageSectors: source[offset + PLACE.pageSectors] ?? 0,
    generation: source.readUInt32LE(offset + PLACE.generation),
    bytes: source.readUInt32LE(offset + PLACE.bytes),
  };
}

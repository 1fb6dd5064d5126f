/**
 * Cells of the plane of a 2d index: a square, halved in both directions again and again; and the keys they have.
 *
 * Owns: the hash of a position: the bits of x and y, taken in turns, the highest first. Source: MongoDB's manual, "2d Index
 * Internals".
 */
import { binaryValue, getField, type RawValue } from '../../bson/index.ts';
import type { Position } from '../matcher/geo/geojson.ts';
import type { Rectangle } from '../matcher/geo/plane.ts';

/** What a 2d index is told when it is created. */
export interface Grid {
  /** Halvings in each direction, 1 to 32. */
  readonly bits: number;
  readonly min: number;
  readonly max: number;
}

export const DEFAULT_GRID: Grid = { bits: 26, min: -180, max: 180 };

const GRIDS = new WeakMap<Buffer, Grid>();

/** @param spec of a 2d index: checked when it was created. */
export function gridOf(spec: Buffer): Grid {
  let grid = GRIDS.get(spec);
  if (grid === undefined) {
    const number = (name: keyof Grid): number =>
      getField(spec, name)?.asNumber() ?? DEFAULT_GRID[name];
    grid = { bits: Math.trunc(number('bits')), min: number('min'), max: number('max') };
    GRIDS.set(spec, grid);
  }
  return grid;
}

/** A square of the grid: the first `level` bits of its coordinates, as the highest of 32. */
export interface GridCell {
  readonly level: number;
  readonly x: number;
  readonly y: number;
}

export const WHOLE_GRID: GridCell = { level: 0, x: 0, y: 0 };

const TWO_32 = 2 ** 32;

/** The smallest cell around a position that lies in the grid. */
export function cellAt({ x, y }: Position, { bits, min, max }: Grid): GridCell {
  const scale = TWO_32 / (max - min);
  const unused = 2 ** (32 - bits);
  const part = (value: number): number => {
    const scaled = Math.min(Math.floor((value - min) * scale), TWO_32 - 1);
    return scaled - (scaled % unused);
  };
  return { level: bits, x: part(x), y: part(y) };
}

export function quartersOf({ level, x, y }: GridCell): GridCell[] {
  const half = 2 ** (31 - level);
  return [
    { level: level + 1, x, y },
    { level: level + 1, x, y: y + half },
    { level: level + 1, x: x + half, y },
    { level: level + 1, x: x + half, y: y + half },
  ];
}

/** Positions in the cell lie in this rectangle, which is a little larger than the cell: arithmetic is rounded. */
export function rectangleOf({ level, x, y }: GridCell, { min, max }: Grid): Rectangle {
  const size = max - min;
  const slack = size * 2 ** -48;
  const edge = 2 ** (32 - level);
  const at = (value: number): number => min + (value / TWO_32) * size;
  return {
    left: at(x) - slack,
    right: at(x + edge) + slack,
    bottom: at(y) - slack,
    top: at(y + edge) + slack,
  };
}

/** Keys of the positions in a cell lie between these two. */
export function keysOfCell({ level, x, y }: GridCell): readonly [first: RawValue, last: RawValue] {
  const rest = 2 ** (32 - level) - 1;
  return [hashValueOf(x, y), hashValueOf(x + rest, y + rest)];
}

export function keyOfCell({ x, y }: GridCell): RawValue {
  return hashValueOf(x, y);
}

/** The subtype under which MongoDB keeps hashes. */
const USER_DEFINED = 128;

function hashValueOf(x: number, y: number): RawValue {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(interleaved(x >>> 16, y >>> 16), 0);
  bytes.writeUInt32BE(interleaved(x & 0xffff, y & 0xffff), 4);
  return binaryValue(bytes, USER_DEFINED);
}

function interleaved(x: number, y: number): number {
  return ((spread(x) << 1) | spread(y)) >>> 0;
}

/** 16 bits with a gap behind each. */
function spread(bits: number): number {
  let value = bits;
  value = (value | (value << 8)) & 0x00ff00ff;
  value = (value | (value << 4)) & 0x0f0f0f0f;
  value = (value | (value << 2)) & 0x33333333;
  return (value | (value << 1)) & 0x55555555;
}

/** The cell that a key of the index stands for. */
export function cellOfHash(hash: RawValue, { bits }: Grid): GridCell {
  const { bytes } = hash.asBinary();
  const high = bytes.readUInt32BE(0);
  const low = bytes.readUInt32BE(4);
  const join = (first: number, second: number): number =>
    ((gathered(first) << 16) | gathered(second)) >>> 0;
  return { level: bits, x: join(high >>> 1, low >>> 1), y: join(high, low) };
}

function gathered(bits: number): number {
  let value = bits & 0x55555555;
  value = (value | (value >>> 1)) & 0x33333333;
  value = (value | (value >>> 2)) & 0x0f0f0f0f;
  value = (value | (value >>> 4)) & 0x00ff00ff;
  return (value | (value >>> 8)) & 0x0000ffff;
}

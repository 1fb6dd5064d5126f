/**
 * Coverings: few cells that hold a region, on the sphere and in the plane.
 *
 * Promises: what the region has in common with the undivided cells is in a cell of the covering; no more cells than asked for,
 * unless there are more to begin with.
 */
import type { Area } from '../matcher/geo/plane.ts';
import { type Grid, type GridCell, quartersOf, rectangleOf, WHOLE_GRID } from './geo-hash.ts';
import { childrenOf, faceCells, type SphereCell } from './s2-library.ts';
import type { Relation, SphereRegion } from './sphere-region.ts';

/** Cells of any kind, and how the region lies to them. */
interface Division<Cell> {
  readonly whole: readonly Cell[];
  relationTo(cell: Cell): Relation;
  divide(cell: Cell): readonly Cell[];
  /** Cells are divided so often at most. */
  readonly maxLevel: number;
}

/** @returns cells none of which lies inside another. */
function covering<Cell>(division: Division<Cell>, maxCells: number): Cell[] {
  const done: Cell[] = [];
  let open = touched(division.whole, division, done);
  // The largest cells are divided first: all open ones are of one level.
  for (let level = 0; level < division.maxLevel && open.length > 0; level += 1) {
    const next: Cell[] = [];
    for (const [index, cell] of open.entries()) {
      const inside: Cell[] = [];
      const partly = touched(division.divide(cell), division, inside);
      const others = done.length + next.length + (open.length - index - 1);
      const count = partly.length + inside.length;
      if (count > 1 && others + count > maxCells) done.push(cell);
      else {
        next.push(...partly);
        done.push(...inside);
      }
    }
    open = next;
  }
  return [...done, ...open];
}

/** Those cells that the region touches; the ones it holds whole go to `inside`. */
function touched<Cell>(cells: readonly Cell[], division: Division<Cell>, inside: Cell[]): Cell[] {
  return cells.filter((cell) => {
    const relation = division.relationTo(cell);
    if (relation === 'inside') inside.push(cell);
    return relation === 'partly';
  });
}

export interface CoveringLimits {
  readonly maxCells: number;
  /** Cells are not made smaller than those of this level. */
  readonly maxLevel: number;
}

/** A cell, and the region as far as it mattered in the cell around it. */
interface Piece {
  readonly cell: SphereCell;
  readonly region: SphereRegion;
}

/** @returns ids of cells. */
export function sphereCovering(
  region: SphereRegion,
  { maxCells, maxLevel }: CoveringLimits,
): bigint[] {
  const pieces = covering<Piece>(
    {
      whole: faceCells().map((cell) => ({ cell, region })),
      relationTo: (piece) => piece.region.relationTo(piece.cell),
      divide: (piece) => {
        const narrowed = piece.region.within(piece.cell);
        return childrenOf(piece.cell).map((cell) => ({ cell, region: narrowed }));
      },
      maxLevel,
    },
    maxCells,
  );
  return pieces.map(({ cell }) => cell.id);
}

export function gridCovering(
  area: Pick<Area, 'relationTo'>,
  grid: Grid,
  maxCells: number,
): GridCell[] {
  return covering(
    {
      whole: [WHOLE_GRID],
      relationTo: (cell: GridCell) => area.relationTo(rectangleOf(cell, grid)),
      divide: quartersOf,
      maxLevel: grid.bits,
    },
    maxCells,
  );
}

/**
 * Random geometries, at poles and antimeridian as often as elsewhere, for comparing indexed answers with scans.
 */
import { SeededRandom } from '../../../common/random.ts';
import type { Plain } from '../executor/store.ts';

export type Pair = [number, number];

export class RandomGeometry {
  private readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.random.next();
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random.next() * items.length)];
  }

  /** Clustered around few places, some of them on the antimeridian, at a pole, on an edge of S2's cube. */
  pair(): Pair {
    const [x, y] = this.pick<Pair>([
      [0, 0],
      [10, 50],
      [179.9, 10],
      [-179.9, -10],
      [30, 89.5],
      [-100, -89.5],
      [45, 35.26],
      [this.between(-180, 180), this.between(-90, 90)],
    ]);
    const spread = this.pick([0, 0.001, 0.5, 5]);
    return [
      wrapped(x + this.between(-spread, spread)),
      Math.max(-90, Math.min(90, y + this.between(-spread, spread))),
    ];
  }

  point(): Plain {
    return { type: 'Point', coordinates: this.pair() };
  }

  line(): Plain {
    const start = this.pair();
    const step = this.pick([0.001, 0.3, 8]);
    const coordinates = [start];
    for (let count = 1 + Math.floor(this.between(0, 4)); count > 0; count -= 1) {
      const [x, y] = coordinates[coordinates.length - 1];
      coordinates.push([
        wrapped(x + this.between(-step, step)),
        Math.max(-89, Math.min(89, y + this.between(-step, step))),
      ]);
    }
    return { type: 'LineString', coordinates };
  }

  /** A ring around a center, with corners at rising angles, so that its edges do not cross. */
  ring(center: Pair, size: number): Pair[] {
    const corners = 3 + Math.floor(this.between(0, 5));
    const ring: Pair[] = [];
    for (let corner = 0; corner < corners; corner += 1) {
      const turn = ((corner + this.between(0, 0.8)) / corners) * 2 * Math.PI;
      const radius = size * this.between(0.6, 1);
      const squeeze = Math.max(0.05, Math.cos((center[1] * Math.PI) / 180));
      ring.push([
        wrapped(center[0] + (radius * Math.cos(turn)) / squeeze),
        center[1] + radius * Math.sin(turn),
      ]);
    }
    return [...ring, ring[0]];
  }

  polygon(): Plain {
    const [x, y] = this.pair();
    const size = this.pick([0.001, 0.4, 6]);
    const center: Pair = [x, Math.max(-80, Math.min(80, y))];
    const outer = this.ring(center, size);
    const rings = this.between(0, 1) < 0.3 ? [outer, this.ring(center, size * 0.2)] : [outer];
    return { type: 'Polygon', coordinates: rings };
  }

  /** What lies to the left of its ring, which is less or more than half of the Earth. */
  bigPolygon(): Plain {
    const [x, y] = this.pair();
    const ring = this.ring([x, Math.max(-60, Math.min(60, y))], this.pick([1, 10, 30]));
    return {
      type: 'Polygon',
      coordinates: [this.pick([ring, ring.toReversed()])],
      crs: {
        type: 'name',
        properties: { name: 'urn:x-mongodb:crs:strictwinding:EPSG:4326' },
      },
    };
  }

  stored(): unknown {
    const make = this.pick<() => unknown>([
      () => this.point(),
      () => this.point(),
      () => this.pair(),
      () => this.line(),
      () => this.polygon(),
      () => ({ type: 'MultiPoint', coordinates: [this.pair(), this.pair()] }),
      () => ({ type: 'GeometryCollection', geometries: [this.point(), this.line()] }),
    ]);
    return make();
  }
}

function wrapped(longitude: number): number {
  if (longitude > 180) return longitude - 360;
  return longitude < -180 ? longitude + 360 : longitude;
}

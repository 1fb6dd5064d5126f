/**
 * Things that are open now, such as views: one comes and goes with every operation.
 *
 * Promises: adding and removing take constant time and leave nothing behind but one small object. (A Set rebuilds its table
 * again and again, and the tables reach the old generation: 120 bytes per operation, and a fifth of the collector's work.)
 */
import { invariant } from '../common/assert.ts';

/** Where a member stands: given back to remove it. */
export interface OpenPlace<Member> {
  readonly member: Member;
  position: number;
}

export class OpenList<Member> {
  private readonly places: OpenPlace<Member>[] = [];

  get size(): number {
    return this.places.length;
  }

  add(member: Member): OpenPlace<Member> {
    const place = { member, position: this.places.length };
    this.places.push(place);
    return place;
  }

  /** Once per place. */
  remove(place: OpenPlace<Member>): void {
    const { position } = place;
    invariant(this.places[position] === place, 'open list: removed twice');
    const last = this.places.pop();
    if (last === undefined || last === place) return;
    this.places[position] = last;
    last.position = position;
  }

  /** The members at the time of the call, in no order: they may be removed meanwhile. */
  [Symbol.iterator](): IterableIterator<Member> {
    return this.places.map(({ member }) => member).values();
  }
}

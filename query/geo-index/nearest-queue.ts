/**
 * A queue that gives the item of the least distance; among equal ones the one of the least rank.
 */
export interface Queued {
  readonly distance: number;
  readonly rank: number;
}

export class NearestQueue<Item extends Queued> {
  private readonly heap: Item[] = [];

  get size(): number {
    return this.heap.length;
  }

  get first(): Item | undefined {
    return this.heap[0];
  }

  push(item: Item): void {
    const { heap } = this;
    let index = heap.length;
    heap.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(item, heap[parent])) break;
      heap[index] = heap[parent];
      index = parent;
    }
    heap[index] = item;
  }

  pop(): Item | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], last)) break;
      heap[index] = heap[child];
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Queued, b: Queued): boolean {
  return a.distance < b.distance || (a.distance === b.distance && a.rank < b.rank);
}

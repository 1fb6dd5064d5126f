/**
 * What a generation costs in memory: slabs, columns and an estimate of its objects in the JavaScript heap.
 */
export interface MemoryCounter {
  bytes: number;
}

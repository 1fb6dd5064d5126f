/**
 * Bugs that are planted on purpose, to see that the simulation finds them.
 *
 * Each is a change of the engine's own text, made in the memory of the processes that run the seeds (plant.mjs): so the code
 * that ships has no hook for any of them, and what is tested with the bug is otherwise what ships.
 */

import { troubleOf } from './trouble.ts';

export interface PlantedBug {
  readonly name: string;
  readonly what: string;
  /** From the root of the project. */
  readonly file: string;
  /** Stands there once. */
  readonly text: string;
  readonly replacement: string;
  /** Only a disk that gives other bytes than were written shows it: other seeds need not be run. */
  readonly needsLyingDisk?: boolean;
}

/** The first `count` seeds from `first` on that may find a bug. */
export function seedsFor(bug: PlantedBug, first: number, count: number): number[] {
  const seeds: number[] = [];
  for (let seed = first; seeds.length < count; seed += 1) {
    if (bug.needsLyingDisk !== true || troubleOf(seed) === 'pages') seeds.push(seed);
  }
  return seeds;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'skip-flush',
    what: 'A checkpoint does not flush the device before the index store names its pages.',
    file: 'storage/blocks/checkpoint-writer.ts',
    text: 'await queue.submit(flushBio());',
    replacement: '',
  },
  {
    name: 'drop-checksum-test',
    what: 'A page that was read is taken as it is, whatever its checksum.',
    file: 'storage/format/page.ts',
    text: 'bytes.readUInt32LE(PAGE_HEADER.checksum) !== checksumOf(bytes, pageBytes)',
    replacement: 'false',
    needsLyingDisk: true,
  },
  {
    name: 'ack-before-flush',
    what: 'The journal acknowledges a commit when its flush has begun, not when it has ended.',
    file: 'storage/journal/writer.ts',
    text: 'return batch.flushed();',
    replacement: 'batch.flushed().catch(() => {}); return FLUSHED;',
  },
  {
    name: 'free-pinned-epoch',
    what: 'Extents of a base are given back though a snapshot still reads from it.',
    file: 'storage/checkpoint/checkpoint.ts',
    text: 'blocks.reclaim(this.oldestPinned());',
    replacement: 'blocks.reclaim(Infinity);',
  },
  {
    name: 'reuse-extent-early',
    what: 'An extent in which nothing lives any more is free at once, before the checkpoint that emptied it is durable.',
    file: 'storage/blocks/allocation-map.ts',
    text: 'this.edit(extent).liveBytes -= bytes;',
    replacement: `this.edit(extent).liveBytes -= bytes;
      if (entry.liveBytes === 0 && !entry.open) { this.extents[extent] = freeExtent(); this.lowestFree = 0; }`,
  },
];

/** Each for one part of the workload or of the judge: shown once, and there to be repeated; the tests plant those above. */
export const FURTHER_PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'forget-tombstones',
    what: 'A deletion leaves no tombstone: a repair brings the document back.',
    file: 'storage/checkpoint/fold.ts',
    text: 'writer.appendTombstone(collection, recordId);',
    replacement: '',
  },
  {
    name: 'drop-tombstone-early',
    what: 'An extent of tombstones is freed though something older that died may come back from another one.',
    file: 'storage/blocks/allocation-map.ts',
    text: 'if (extent.tombstoneBytes > 0 && oldest < extent.lastGeneration) continue;',
    replacement: '',
  },
  {
    name: 'clean-tombstones-away',
    what: 'The cleaner leaves tombstones behind that something older still needs.',
    file: 'storage/blocks/cleaner.ts',
    text: 'const needsTombstones = oldestPast < header.generation;',
    replacement: 'const needsTombstones = false;',
  },
  {
    name: 'narrow-long-range',
    what: 'A range that ends at a long key ends before those that share what is kept of it.',
    file: 'storage/views/stored-bounds.ts',
    text: 'upper: upperFits ? upper : behindPrefix(keptPart(upper)),',
    replacement: 'upper: upperFits ? upper : keptPart(upper),',
  },
  {
    name: 'seek-past-cut-keys',
    what: 'A jump to a long key begins at its bytes, though cut keys around it are not in their order.',
    file: 'storage/views/index-cursor.ts',
    text: 'start = { key: startAround(key, this.direction), recordId: -1 };',
    replacement: '',
  },
  {
    name: 'scrub-without-pin',
    what: 'The scrub reads pages of a base that may be given back meanwhile.',
    file: 'storage/verify/scrub.ts',
    text: 'return await use(base);',
    replacement: 'base.unpin(); const used = await use(base); base.pin(); return used;',
  },
  {
    name: 'snappy-as-zstd',
    what: 'Pages of collections with zstd are compressed as those of their neighbours with snappy.',
    file: 'storage/format/page-compression.ts',
    text: 'return loadedZstd().compress(plain);',
    replacement: 'return compressSnappyBlock(plain);',
  },
  {
    name: 'spill-over-itself',
    what: 'A file of an operation is written from its beginning with each piece.',
    file: 'storage/spill/spill-area.ts',
    text: 'bytes.length - written, this.size + written);',
    replacement: 'bytes.length - written, written);',
  },
  {
    name: 'end-at-damaged-record',
    what: 'Replay of an index ends at the first damaged record, and leaves out whole ones behind it.',
    file: 'storage/views/damaged-record.ts',
    text: 'if (!concernsOneRecord(error)) return false;',
    replacement: 'return false;',
    needsLyingDisk: true,
  },
];

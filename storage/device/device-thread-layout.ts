/**
 * The memory that device threads and those who call them share: one Int32Array of slots, each a file call.
 *
 * A slot goes free -> filled (caller) -> taken (thread) -> done (thread) -> free (caller).
 */

export const SLOT_COUNT = 16;

/** Words at the start of the array. */
export const CONTROL = {
  /** Counts filled slots; threads wait on it. */
  submitted: 0,
  /** Not 0: threads end. */
  ending: 1,
  firstSlot: 16,
} as const;

/** Words of one slot, from its start. */
export const SLOT = {
  state: 0,
  operation: 1,
  fd: 2,
  positionLow: 3,
  positionHigh: 4,
  /** 0, a negative errno of the system, or one of the two positive values below. */
  result: 5,
  bufferCount: 6,
  /** Per buffer: number of the arena, offset and length in bytes. */
  buffers: 8,
  wordsPerBuffer: 3,
  mostBuffers: 40,
  words: 128,
  endedEarly: 1,
  unknownFailure: 2,
} as const;

export const SLOT_STATE = { free: 0, filled: 1, taken: 2, done: 3 } as const;

export const OPERATIONS = { READ: 1, WRITE: 2, WRITE_SYNC: 3, SYNC: 4 } as const;

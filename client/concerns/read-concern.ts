/**
 * How far a read's data must have come through the replica set.
 */
import type { Document } from 'bson';

export const ReadConcernLevel = {
  local: 'local',
  majority: 'majority',
  linearizable: 'linearizable',
  available: 'available',
  snapshot: 'snapshot',
} as const;
export type ReadConcernLevel = (typeof ReadConcernLevel)[keyof typeof ReadConcernLevel];

/** What an operation's options may hold as a read concern. */
export type ReadConcernLike = ReadConcern | { level: ReadConcernLevel } | ReadConcernLevel;

export class ReadConcern {
  readonly level: ReadConcernLevel;

  constructor(level: ReadConcernLevel) {
    this.level = level;
  }

  static get MAJORITY(): 'majority' {
    return 'majority';
  }

  static get AVAILABLE(): 'available' {
    return 'available';
  }

  static get LINEARIZABLE(): 'linearizable' {
    return 'linearizable';
  }

  static get SNAPSHOT(): 'snapshot' {
    return 'snapshot';
  }

  /** @returns undefined when the options say nothing of it. */
  static fromOptions(
    options: {
      readConcern?: ReadConcernLike | undefined;
      level?: ReadConcernLevel | undefined;
    } = {},
  ): ReadConcern | undefined {
    const { readConcern, level } = options;
    if (readConcern instanceof ReadConcern) return readConcern;
    if (typeof readConcern === 'string') return new ReadConcern(readConcern);
    if (readConcern?.level !== undefined) return new ReadConcern(readConcern.level);
    return level === undefined ? undefined : new ReadConcern(level);
  }

  toJSON(): Document {
    return { level: this.level };
  }
}

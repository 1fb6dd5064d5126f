/**
 * Which members of a replica set may answer a read, and what a server is told about it.
 * Source: driver specification "Server Selection".
 */
import type { Document } from 'bson';
import { MongoInvalidArgumentError } from '../errors/driver-errors.ts';

export const ReadPreferenceMode = {
  primary: 'primary',
  primaryPreferred: 'primaryPreferred',
  secondary: 'secondary',
  secondaryPreferred: 'secondaryPreferred',
  nearest: 'nearest',
} as const;
export type ReadPreferenceMode = (typeof ReadPreferenceMode)[keyof typeof ReadPreferenceMode];

export type TagSet = Record<string, string>;
export interface HedgeOptions {
  enabled?: boolean;
}

export interface ReadPreferenceOptions {
  /** A secondary's data may be at most this old; at least 90. */
  maxStalenessSeconds?: number;
  hedge?: HedgeOptions;
}

/** What an operation's options may hold as a read preference. */
export type ReadPreferenceLike = ReadPreference | ReadPreferenceMode;

export class ReadPreference {
  static readonly PRIMARY = 'primary';
  static readonly PRIMARY_PREFERRED = 'primaryPreferred';
  static readonly SECONDARY = 'secondary';
  static readonly SECONDARY_PREFERRED = 'secondaryPreferred';
  static readonly NEAREST = 'nearest';
  static readonly primary: ReadPreference = new ReadPreference('primary');
  static readonly primaryPreferred: ReadPreference = new ReadPreference('primaryPreferred');
  static readonly secondary: ReadPreference = new ReadPreference('secondary');
  static readonly secondaryPreferred: ReadPreference = new ReadPreference('secondaryPreferred');
  static readonly nearest: ReadPreference = new ReadPreference('nearest');

  readonly mode: ReadPreferenceMode;
  readonly tags?: TagSet[];
  readonly hedge?: HedgeOptions;
  readonly maxStalenessSeconds?: number;

  /** @throws MongoInvalidArgumentError for a mode that is unknown, or options that do not go with it. */
  constructor(mode: ReadPreferenceMode, tags?: TagSet[], options: ReadPreferenceOptions = {}) {
    if (!ReadPreference.isValid(mode)) {
      throw new MongoInvalidArgumentError(`Invalid read preference mode ${JSON.stringify(mode)}`);
    }
    if (tags !== undefined && !Array.isArray(tags)) {
      throw new MongoInvalidArgumentError('ReadPreference tags must be an array');
    }
    this.mode = mode;
    if (tags !== undefined) this.tags = tags;
    if (options.hedge !== undefined) this.hedge = options.hedge;
    const staleness = options.maxStalenessSeconds;
    if (staleness !== undefined) {
      if (!(staleness > 0)) {
        throw new MongoInvalidArgumentError('maxStalenessSeconds must be a positive integer');
      }
      this.maxStalenessSeconds = staleness;
    }
    if (mode === 'primary') this.refuseChoiceWithPrimary();
  }

  /** @returns undefined when the options say nothing of it. */
  static fromOptions(options: Document = {}): ReadPreference | undefined {
    const given: unknown =
      options['readPreference'] ?? options['session']?.transaction?.options?.readPreference;
    const tags: TagSet[] | undefined = options['readPreferenceTags'];
    if (given === undefined || given === null) return undefined;
    if (given instanceof ReadPreference) return given;
    if (typeof given === 'string') {
      if (!ReadPreference.isValid(given)) throw invalid(given);
      return new ReadPreference(given, tags, options);
    }
    if (typeof given === 'object') {
      const { mode, preference, ...rest }: Document = given;
      const name: unknown = mode ?? preference;
      if (typeof name === 'string') {
        if (!ReadPreference.isValid(name)) throw invalid(name);
        return new ReadPreference(name, rest['tags'] ?? tags, rest);
      }
    }
    throw invalid(given);
  }

  static isValid(mode: unknown): mode is ReadPreferenceMode {
    return typeof mode === 'string' && Object.hasOwn(ReadPreferenceMode, mode);
  }

  get preference(): ReadPreferenceMode {
    return this.mode;
  }

  isValid(mode: string): boolean {
    return ReadPreference.isValid(mode);
  }

  /** Whether a secondary may be asked: one flag of the wire protocol says the same. */
  secondaryOk(): boolean {
    return this.mode !== 'primary';
  }

  equals(other: ReadPreference): boolean {
    return other.mode === this.mode;
  }

  toJSON(): Document {
    return {
      mode: this.mode,
      ...(this.tags === undefined ? {} : { tags: this.tags }),
      ...(this.maxStalenessSeconds === undefined
        ? {}
        : { maxStalenessSeconds: this.maxStalenessSeconds }),
      ...(this.hedge === undefined ? {} : { hedge: this.hedge }),
    };
  }

  private refuseChoiceWithPrimary(): void {
    if (this.tags !== undefined && this.tags.length > 0) {
      throw new MongoInvalidArgumentError('Primary read preference cannot be combined with tags');
    }
    if (this.maxStalenessSeconds !== undefined) {
      throw new MongoInvalidArgumentError(
        'Primary read preference cannot be combined with maxStalenessSeconds',
      );
    }
    if (this.hedge !== undefined) {
      throw new MongoInvalidArgumentError('Primary read preference cannot be combined with hedge');
    }
  }
}

function invalid(given: unknown): MongoInvalidArgumentError {
  const text = typeof given === 'string' ? given : JSON.stringify(given);
  return new MongoInvalidArgumentError(`Invalid read preference: ${text}`);
}

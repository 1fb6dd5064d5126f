/**
 * Which operations are profiled, and which are logged as slow: what the command profile sets.
 *
 * Owns: the levels and filters per database; the threshold and the share of slow operations hold for the whole server, as in
 * MongoDB. Kept in memory only. Source: MongoDB's manual, "profile".
 */
import type { Random } from '../../common/random.ts';

/** 0: no operation is profiled; 1: slow ones, or those that match the filter; 2: all. */
export type ProfilingLevel = 0 | 1 | 2;

export interface ProfileFilter {
  /** As the client sent it. */
  readonly source: Buffer;
  /** Asked with the document that would be written. */
  matches(entry: Buffer): boolean;
}

interface DatabaseSettings {
  level: ProfilingLevel;
  filter: ProfileFilter | undefined;
}

export class ProfilerSettings {
  /** Operations that take longer are slow, milliseconds. */
  slowMs: number;
  /** Of slow operations this share is logged and profiled, 0 to 1. */
  sampleRate = 1;
  private readonly random: Random;
  private readonly databases = new Map<string, DatabaseSettings>();
  /** Of databases for which nobody has set one: the option --profile. */
  private readonly defaultLevel: ProfilingLevel;

  constructor(random: Random, slowMs: number, defaultLevel: ProfilingLevel = 0) {
    this.random = random;
    this.slowMs = slowMs;
    this.defaultLevel = defaultLevel;
  }

  /** Whether an operation has to be looked at: the quick test after every operation. */
  concerns(database: string, elapsedMs: number): boolean {
    if (elapsedMs > this.slowMs) return true;
    if (this.databases.size === 0) return this.defaultLevel > 0;
    const settings = this.databases.get(database);
    return settings === undefined
      ? this.defaultLevel > 0
      : settings.level > 0 || hasFilter(settings);
  }

  levelOf(database: string): ProfilingLevel {
    return this.databases.get(database)?.level ?? this.defaultLevel;
  }

  filterOf(database: string): ProfileFilter | undefined {
    return this.databases.get(database)?.filter;
  }

  setLevel(database: string, level: ProfilingLevel): void {
    this.settingsOf(database).level = level;
  }

  setFilter(database: string, filter: ProfileFilter | undefined): void {
    this.settingsOf(database).filter = filter;
  }

  /** The database is gone, and its settings with it, as in MongoDB. */
  forget(database: string): void {
    this.databases.delete(database);
  }

  /** Decides by lot whether a slow operation is among those that are shown. */
  isSampled(): boolean {
    return this.sampleRate >= 1 || this.random.next() < this.sampleRate;
  }

  private settingsOf(database: string): DatabaseSettings {
    let settings = this.databases.get(database);
    if (settings === undefined) {
      settings = { level: this.defaultLevel, filter: undefined };
      this.databases.set(database, settings);
    }
    return settings;
  }
}

function hasFilter({ filter }: DatabaseSettings): boolean {
  return filter !== undefined;
}

/**
 * What must have happened to a write before it is acknowledged.
 */
import type { Document } from 'bson';

export type W = number | 'majority' | (string & {});

export interface WriteConcernSettings {
  w?: W;
  wtimeoutMS?: number;
  journal?: boolean;
  /** Old names. */
  j?: boolean;
  wtimeout?: number;
  fsync?: boolean | 1;
}

export interface WriteConcernOptions {
  writeConcern?: WriteConcern | WriteConcernSettings;
}

const SETTINGS = ['w', 'wtimeout', 'wtimeoutMS', 'j', 'journal', 'fsync'] as const;

export class WriteConcern {
  readonly w?: W;
  readonly wtimeoutMS?: number;
  readonly journal?: boolean;
  /** The names by which the server knows them. */
  j?: boolean;
  wtimeout?: number;

  constructor(w?: W, wtimeoutMS?: number, journal?: boolean, fsync?: boolean | 1) {
    if (w !== undefined && w !== null) {
      const number = Number(w);
      this.w = typeof w === 'string' && w !== '' && !Number.isNaN(number) ? number : w;
    }
    if (wtimeoutMS !== undefined) this.wtimeoutMS = this.wtimeout = wtimeoutMS;
    const journaled = journal ?? (fsync === undefined ? undefined : Boolean(fsync));
    if (journaled !== undefined) this.journal = this.j = journaled;
  }

  /** Of an operation's or a client's options, else what is inherited. @returns undefined when nobody says anything. */
  static fromOptions(
    options: unknown,
    inherit?: WriteConcern | WriteConcernSettings,
  ): WriteConcern | undefined {
    if (typeof options === 'string' || typeof options === 'number')
      return new WriteConcern(options);
    if (options instanceof WriteConcern) return options;
    const given = settingsOf(options);
    const merged: WriteConcernSettings = { ...settingsOf(inherit), ...given };
    if (!SETTINGS.some((name) => merged[name] !== undefined)) return undefined;
    return new WriteConcern(
      merged.w,
      merged.wtimeoutMS ?? merged.wtimeout,
      merged.journal ?? merged.j,
      merged.fsync,
    );
  }

  /** Adds it to a command. */
  static apply(command: Document, writeConcern: WriteConcern): Document {
    command['writeConcern'] = writeConcern.toCommand();
    return command;
  }

  /** As options, which other write concerns may be made of. */
  toJSON(): WriteConcernSettings {
    return {
      ...(this.w === undefined ? {} : { w: this.w }),
      ...(this.wtimeoutMS === undefined ? {} : { wtimeoutMS: this.wtimeoutMS }),
      ...(this.journal === undefined ? {} : { journal: this.journal }),
    };
  }

  /** As a command's field. */
  toCommand(): Document {
    return {
      ...(this.w === undefined ? {} : { w: this.w }),
      ...(this.wtimeoutMS === undefined ? {} : { wtimeout: this.wtimeoutMS }),
      ...(this.journal === undefined ? {} : { j: this.journal }),
    };
  }

  /** w: 0, and no journal asked for: the server sends no reply. */
  get isUnacknowledged(): boolean {
    return this.w === 0 && this.journal !== true;
  }
}

function settingsOf(options: unknown): WriteConcernSettings {
  if (typeof options !== 'object' || options === null) return {};
  const whole: Document = options;
  const nested: unknown = whole['writeConcern'];
  if (typeof nested === 'string' || typeof nested === 'number') return { w: nested };
  const source: Document = typeof nested === 'object' && nested !== null ? nested : whole;
  return Object.fromEntries(
    SETTINGS.filter((name) => source[name] !== undefined).map((name) => [name, source[name]]),
  );
}

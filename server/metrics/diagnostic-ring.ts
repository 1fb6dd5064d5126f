/**
 * diagnostic.data: the server's counters over time, kept on disk for whoever has to find out later what happened.
 *
 * Owns: the files `metrics.<time>` of one directory, and their size together. Each file is a run of gzip members of JSON
 * lines, so that `zcat` reads it; docs/format/diagnostic-data.md describes the lines.
 * Promises: no document and no name of a user's data is in it, only numbers; a disk that refuses a file costs samples, never
 * an operation. Never: reads its files again.
 */
import { appendFile, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';

const compress = promisify(gzip);

/** Samples that are written together: what an end without warning may cost. */
const SAMPLES_PER_WRITE = 10;
const FILE_PREFIX = 'metrics.';

/** Counters as nested plain objects; everything but numbers and booleans is left out. */
export interface CounterTree {
  readonly [name: string]: CounterTree | number | bigint | boolean | string | undefined;
}

export interface DiagnosticRingOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes one sample. */
  readonly sample: () => CounterTree;
  /** Bytes of one file, and of all of them; asked for at each write. */
  readonly fileBytes: () => number;
  readonly directoryBytes: () => number;
}

export class DiagnosticRing {
  private readonly options: DiagnosticRingOptions;
  private lines: string[] = [];
  private names: readonly string[] = [];
  private last: readonly number[] = [];
  private file: { readonly name: string; bytes: number } | undefined;
  private writing: Promise<void> = Promise.resolve();
  private hasFailed = false;

  constructor(options: DiagnosticRingOptions) {
    this.options = options;
  }

  /** Adds a sample; every tenth writes. */
  collect(): void {
    const counters = flatten(this.options.sample());
    const timeMs = this.options.clock.wallMs();
    const isSameShape =
      this.file !== undefined &&
      counters.length === this.names.length &&
      counters.every(([name], index) => name === this.names[index]);
    const values = counters.map(([, value]) => value);
    if (isSameShape) {
      const changes = values.map((value, index) => value - this.last[index]);
      this.lines.push(JSON.stringify({ t: timeMs, d: changes }));
    } else {
      this.names = counters.map(([name]) => name);
      this.lines.push(JSON.stringify({ t: timeMs, names: this.names, values }));
    }
    this.last = values;
    // A new file begins with its names: it can be read alone.
    this.file ??= { name: fileName(timeMs), bytes: 0 };
    if (this.lines.length >= SAMPLES_PER_WRITE) void this.flush();
  }

  /** Writes what was collected. Never rejects. */
  flush(): Promise<void> {
    const { lines, file } = this;
    if (lines.length > 0 && file !== undefined) {
      this.lines = [];
      this.writing = this.writing.then(() => this.write(file, lines));
    }
    return this.writing;
  }

  private async write(file: { readonly name: string; bytes: number }, lines: readonly string[]) {
    const { directory } = this.options;
    try {
      const member = await compress(`${lines.join('\n')}\n`);
      await mkdir(directory, { recursive: true });
      await appendFile(join(directory, file.name), member);
      file.bytes += member.length;
      if (file.bytes >= this.options.fileBytes() && this.file === file) this.file = undefined;
      await this.removeOldest(file.name);
    } catch (error) {
      // Later changes would count from samples that nobody has: the next sample begins a file.
      if (this.file === file) this.file = undefined;
      this.reportOnce(error);
    }
  }

  /** @param current stays, also when the clock has gone back and its name is the oldest. */
  private async removeOldest(current: string): Promise<void> {
    const { directory, directoryBytes } = this.options;
    const names = (await readdir(directory)).filter((name) => name.startsWith(FILE_PREFIX)).sort();
    const sizes = await Promise.all(
      names.map(async (name) => (await stat(join(directory, name))).size),
    );
    let total = sizes.reduce((sum, size) => sum + size, 0);
    for (const [index, name] of names.entries()) {
      if (total <= directoryBytes()) return;
      if (name === current) continue;
      await unlink(join(directory, name));
      total -= sizes[index];
    }
  }

  private reportOnce(error: unknown): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.options.log.write({
      severity: 'W',
      component: 'CONTROL',
      id: 2_200_020,
      message: 'Diagnostic data cannot be written; the server goes on without',
      attributes: {
        directory: this.options.directory,
        error: error instanceof Error ? error.message : String(error),
      },
    });
  }
}

/** `metrics.2026-11-20T08-45-00.123Z`: sorts by time, and no file system minds it. */
function fileName(timeMs: number): string {
  return `${FILE_PREFIX}${new Date(timeMs).toISOString().replaceAll(':', '-')}`;
}

/** Dotted names and whole numbers, in the tree's order. */
function flatten(tree: CounterTree, prefix = ''): [name: string, value: number][] {
  return Object.entries(tree).flatMap(([name, value]): [string, number][] => {
    if (typeof value === 'object') return flatten(value, `${prefix}${name}.`);
    if (typeof value === 'string' || value === undefined) return [];
    return [[prefix + name, Math.round(Number(value))]];
  });
}

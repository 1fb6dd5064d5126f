/**
 * Fail points: named places where a test makes the server fail, wait or crash.
 *
 * Owns: the registry of configured fail points and their modes. The command `configureFailPoint`
 * (server/commands/diagnostics) configures it; the engine's pause and crash points use the same registry.
 * Promises: a name that is not configured costs one Map look-up on an empty Map.
 * Source: MongoDB's wiki page "The failCommand fail point"; modes off, alwaysOn, times, skip, activationProbability.
 */
import type { Random } from './random.ts';

export type FailPointMode =
  | { readonly kind: 'off' }
  | { readonly kind: 'alwaysOn' }
  | { readonly kind: 'times'; readonly times: number }
  | { readonly kind: 'skip'; readonly skip: number }
  | { readonly kind: 'activationProbability'; readonly probability: number };

/** A configured fail point; `data` is whatever its place understands. */
interface FailPoint {
  mode: FailPointMode;
  readonly data: unknown;
  timesEntered: number;
}

export class FailPoints {
  private readonly points = new Map<string, FailPoint>();
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** Sets a fail point. @returns how often it had been entered before, as MongoDB's command replies. */
  configure(name: string, mode: FailPointMode, data: unknown): number {
    const before = this.points.get(name)?.timesEntered ?? 0;
    if (mode.kind === 'off') this.points.delete(name);
    else this.points.set(name, { mode, data, timesEntered: before });
    return before;
  }

  /** No fail point is configured: the usual case, asked for with every command. */
  get isEmpty(): boolean {
    return this.points.size === 0;
  }

  /** How often a fail point has been entered since it was set. */
  timesEntered(name: string): number {
    return this.points.get(name)?.timesEntered ?? 0;
  }

  /** Names of the fail points that are set. */
  names(): string[] {
    return [...this.points.keys()];
  }

  /**
   * Asks whether a fail point fires now, and uses up one of its times.
   * @param applies whether the point's data fit the place (command name, appName); a mismatch uses nothing up.
   * @returns the point's data when it fires, else undefined.
   */
  fire(
    name: string,
    applies: (data: unknown) => boolean = () => true,
  ): { data: unknown } | undefined {
    if (this.points.size === 0) return undefined;
    const point = this.points.get(name);
    if (point === undefined || !applies(point.data)) return undefined;
    if (!this.consume(point)) return undefined;
    point.timesEntered += 1;
    return { data: point.data };
  }

  private consume(point: FailPoint): boolean {
    const mode = point.mode;
    switch (mode.kind) {
      case 'off':
        return false;
      case 'alwaysOn':
        return true;
      case 'times':
        if (mode.times <= 0) return false;
        point.mode = { kind: 'times', times: mode.times - 1 };
        return true;
      case 'skip':
        if (mode.skip <= 0) return true;
        point.mode = { kind: 'skip', skip: mode.skip - 1 };
        return false;
      case 'activationProbability':
        return this.random.next() < mode.probability;
    }
  }
}

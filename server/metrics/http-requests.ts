/**
 * Counters of the HTTP port's requests: by what they asked for and how they were answered, with their durations.
 *
 * Owns: one set of counters per name. Names are those of actions and routes, never a client's text, so that there are few.
 */
import { countDuration, emptyHistogram } from './duration-histogram.ts';

export interface HttpCounters {
  requests: number;
  /** Summed, until the answer's head was made: a stream of documents goes on behind it. */
  micros: number;
  /** By HTTP status. */
  readonly statuses: Map<number, number>;
  readonly histogram: number[];
}

export class HttpRequests {
  private readonly counters = new Map<string, HttpCounters>();

  /** @param name an action's, such as findOne, or a route's */
  note(name: string, status: number, micros: number): void {
    const counters = this.of(name);
    counters.requests += 1;
    counters.micros += micros;
    counters.statuses.set(status, (counters.statuses.get(status) ?? 0) + 1);
    countDuration(counters.histogram, micros);
  }

  all(): ReadonlyMap<string, HttpCounters> {
    return this.counters;
  }

  private of(name: string): HttpCounters {
    const known = this.counters.get(name);
    if (known !== undefined) return known;
    const counters: HttpCounters = {
      requests: 0,
      micros: 0,
      statuses: new Map(),
      histogram: emptyHistogram(),
    };
    this.counters.set(name, counters);
    return counters;
  }
}

/** What a monitored flintd says of its event loop. Milliseconds. */
export interface LoopDelay {
  readonly samples: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface LoopDelays {
  readonly fold: LoopDelay;
  readonly rest: LoopDelay;
}

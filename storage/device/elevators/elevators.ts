/**
 * The elevators by name.
 */
import type { Clock } from '../../../common/clock.ts';
import { DeadlineElevator } from './deadline.ts';
import type { Elevator } from './elevator.ts';
import { NoopElevator } from './noop.ts';

export type ElevatorName = 'noop' | 'deadline';

export interface ElevatorOptions {
  readonly clock: Clock;
  /** Longest request that joining may make, sectors. A single bio may be longer. */
  readonly mostMergedSectors: number;
}

const ELEVATORS: Readonly<Record<ElevatorName, (options: ElevatorOptions) => Elevator>> = {
  noop: (options) => new NoopElevator(options),
  deadline: (options) => new DeadlineElevator(options.clock, options),
};

export const ELEVATOR_NAMES: readonly string[] = Object.keys(ELEVATORS);

export function isElevatorName(name: string): name is ElevatorName {
  return Object.hasOwn(ELEVATORS, name);
}

export function createElevator(name: ElevatorName, options: ElevatorOptions): Elevator {
  return ELEVATORS[name](options);
}

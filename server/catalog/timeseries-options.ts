/**
 * The option `timeseries` of create: how it is read. FlintDB has no time series collections yet: it is refused by name.
 */
import type { RawValue } from '../../bson/index.ts';
import type { CommandBody } from '../command/command-body.ts';

/** @returns what is stored; undefined when the client did not ask for a time series collection. */
export function readTimeseries(body: CommandBody): RawValue | undefined {
  body.refuse('timeseries');
  return undefined;
}

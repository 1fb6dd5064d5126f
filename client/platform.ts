/**
 * What only Node (and what behaves as it: Deno, Bun) has, for code that must load in browsers too.
 */
import type { Readable } from 'node:stream';
import { MongoRuntimeError } from './errors/driver-errors.ts';

/** @throws MongoRuntimeError where there are no streams of Node. */
export function readableFrom(source: AsyncIterable<unknown>): Readable {
  const streams = globalThis.process?.getBuiltinModule?.('node:stream');
  if (streams === undefined) {
    throw new MongoRuntimeError(
      'This platform has no streams of Node: iterate over the cursor instead',
    );
  }
  return streams.Readable.from(source, { autoDestroy: true });
}

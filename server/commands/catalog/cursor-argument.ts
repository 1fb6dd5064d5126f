/**
 * `cursor: {batchSize: n}`, which the list commands take.
 */
import type { CommandBody } from '../../command/command-body.ts';
import { nestedBody } from '../../command/nested-body.ts';

/** @returns undefined when the client does not say. */
export function cursorBatchSize(body: CommandBody): number | undefined {
  const cursor = body.document('cursor', undefined);
  if (cursor === undefined) return undefined;
  const options = nestedBody(`${body.command}.cursor`, cursor, body);
  const batchSize = options.limit('batchSize');
  options.rejectUnknownFields();
  return batchSize;
}

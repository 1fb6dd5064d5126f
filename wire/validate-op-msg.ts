/**
 * The step from "its lengths fit" to "its documents may be walked", for a whole OP_MSG.
 */
import { CommandError } from '../common/errors.ts';
import { MAX_BSON_INTERNAL_BYTES } from '../common/limits.ts';
import { getField, validateDocument } from '../bson/index.ts';
import type { OpMsg } from './op-msg.ts';

const LIMITS = { maxBytes: MAX_BSON_INTERNAL_BYTES } as const;

/**
 * Validates the body and every document of every sequence, and refuses a sequence whose field is in the body, too.
 * @throws CommandError InvalidBSON, Overflow, BSONObjectTooLarge, or 40433 for the duplicate field.
 */
export function validateOpMsg(message: OpMsg): void {
  validateDocument(message.body, LIMITS);
  for (const sequence of message.sequences) {
    for (const document of sequence.documents) validateDocument(document, LIMITS);
    if (getField(message.body, sequence.identifier) !== undefined) {
      throw new CommandError(
        40433,
        `Duplicate field between body and document sequence ${sequence.identifier}`,
      );
    }
  }
}

/**
 * MongoDB's limits that more than one floor asks for.
 * Source: MongoDB's manual, "MongoDB Limits and Thresholds".
 */

/** Largest document of a user, bytes. */
export const MAX_BSON_OBJECT_BYTES = 16 * 1024 * 1024;
/** Largest document inside the server (a command's reply, an update's result before its check), bytes. */
export const MAX_BSON_INTERNAL_BYTES = MAX_BSON_OBJECT_BYTES + 16 * 1024;
/** Largest wire message, bytes, its header included. */
export const MAX_MESSAGE_BYTES = 48_000_000;
/** Most statements in one write command. */
export const MAX_WRITE_BATCH_COUNT = 100_000;
/** Deepest nesting of a document that a client may store. */
export const MAX_BSON_DEPTH = 180;

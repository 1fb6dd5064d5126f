/**
 * Which FlintDB this is: for every program's --version, for buildInfo, for what clients and stores write down.
 */

/** A test compares it with package.json. */
export const FLINTDB_VERSION = '0.1.0';

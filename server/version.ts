/**
 * Which MongoDB this server presents itself as.
 */

/** Reported by buildInfo and serverStatus. */
export const MONGODB_VERSION = '8.0.16';
export const MONGODB_VERSION_PARTS: readonly number[] = [8, 0, 16, 0];
export const FEATURE_COMPATIBILITY_VERSION = '8.0';

/** Old drivers stay in; 25 is MongoDB 8.0. */
export const MIN_WIRE_VERSION = 0;
export const MAX_WIRE_VERSION = 25;

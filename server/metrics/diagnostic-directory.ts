/**
 * Where a data directory keeps its counters over time: named as mongod names it, so that habits carry over.
 */
export const DIAGNOSTIC_DIRECTORY = 'diagnostic.data';

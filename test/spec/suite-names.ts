/**
 * The folders of MongoDB's driver specifications that hold cases of the unified test format.
 */

/** The runner's own suites come first: the others count only when these are right. */
export const SUITES = [
  'unified-test-format/valid-pass',
  'unified-test-format/valid-fail',
  'causal-consistency',
  'change-streams/unified',
  'client-backpressure',
  'client-side-operations-timeout',
  'collection-management',
  'command-logging-and-monitoring/logging',
  'command-logging-and-monitoring/monitoring',
  'crud/unified',
  'gridfs',
  'index-management',
  'read-write-concern/operation',
  'retryable-reads/unified',
  'retryable-writes/unified',
  'run-command/unified',
  'server-discovery-and-monitoring/unified',
  'sessions',
  'transactions-convenient-api/unified',
  'transactions/unified',
  'versioned-api',
] as const;

export type SuiteName = (typeof SUITES)[number];

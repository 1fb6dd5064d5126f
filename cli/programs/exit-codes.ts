/**
 * How the programs end, for scripts and service managers. mongod's numbers where it has the same case.
 * Source: MongoDB's manual, "Exit Codes and Statuses".
 */
export const EXIT = {
  clean: 0,
  /** A tool could not do what it was asked to. */
  failed: 1,
  /** Wrong options. */
  badOptions: 2,
  /** verify found damage, or repair could not bring everything back. */
  damaged: 4,
  /** A bug in shared state, or damage: the next start recovers or reports. */
  abrupt: 14,
  /** The port is taken, or cannot be bound. */
  netError: 48,
  /** The data directory is missing, in use, or not readable. */
  dataDirectory: 100,
} as const;

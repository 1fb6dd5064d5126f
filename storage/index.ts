/**
 * The door of storage/: what the floors above see of the engine.
 */
export * from './contract.ts';

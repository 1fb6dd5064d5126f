/**
 * The door of router/: options at once, the router itself when it is asked for, so that --help loads no commands.
 */
export { FLINTS_OPTIONS, flintsOptionsFrom, type FlintsOptions } from './options/flints-options.ts';
export { loadRouter, type LoadedRouter } from './load-router.ts';

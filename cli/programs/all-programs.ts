/**
 * All programs: what the bundle begins with (build.mjs). Each is evaluated when it is asked for, and runs by that alone; `embedded` is
 * there for others to call.
 */
export const PROGRAMS = {
  embedded: () => import('./embedded.ts'),
  flint: () => import('./flint.ts'),
  flintd: () => import('./flintd.ts'),
  flints: () => import('./flints.ts'),
};

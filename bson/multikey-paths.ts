/**
 * Where the paths of an index hold arrays: per field of its key pattern, the positions of the components that do.
 *
 * Owns: what such positions mean, and how those of several documents are put together. `[0]` for the path "a.b" says that "a" is an array
 * in some document, `[0, 1]` that "a.b" is one as well. Source: MongoDB's manual, "Multikey Index Bounds".
 */

/** Positions of the components of one path that hold arrays, ascending; empty when none does. */
export type ArrayComponents = readonly number[];

/** For each field of a key pattern. */
export type MultikeyPaths = readonly ArrayComponents[];

/** As many fields without arrays. */
export function noMultikeyPaths(fields: readonly unknown[]): MultikeyPaths {
  return fields.map(() => NONE);
}

const NONE: ArrayComponents = [];

export function isMultikey(paths: MultikeyPaths): boolean {
  return paths.some((components) => components.length > 0);
}

/** Whether `known` has all that `found` has. */
export function includesMultikeyPaths(known: MultikeyPaths, found: MultikeyPaths): boolean {
  return found.every((components, field) => includesAll(known[field], components));
}

function includesAll(known: ArrayComponents | undefined, found: ArrayComponents): boolean {
  return found.every((component) => known?.includes(component) === true);
}

/** What either has; `known` itself when `found` has nothing else. */
export function uniteMultikeyPaths(known: MultikeyPaths, found: MultikeyPaths): MultikeyPaths {
  if (includesMultikeyPaths(known, found)) return known;
  return known.map((components, field) => {
    const others = found[field] ?? NONE;
    if (includesAll(components, others)) return components;
    return [...new Set([...components, ...others])].sort((a, b) => a - b);
  });
}

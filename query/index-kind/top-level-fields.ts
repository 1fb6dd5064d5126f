/**
 * The fields of a document that paths begin with.
 */

export function topLevelFields(paths: readonly string[]): ReadonlySet<string> {
  return new Set(paths.map((path) => path.split('.')[0]));
}

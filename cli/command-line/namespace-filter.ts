/**
 * Which namespaces a tool takes: --nsInclude and --nsExclude, with `*` for any characters, as mongorestore's.
 *
 * A backslash takes the meaning from the character behind it.
 */
import { UsageError } from '../../server/index.ts';

export interface Namespace {
  readonly database: string;
  readonly collection: string;
}

export type NamespaceFilter = (namespace: Namespace) => boolean;

/** @param include none: everything. @throws UsageError for a pattern that can be no namespace's. */
export function namespaceFilter(
  include: readonly string[],
  exclude: readonly string[],
): NamespaceFilter {
  const included = include.map((pattern) => compile(pattern, '--nsInclude'));
  const excluded = exclude.map((pattern) => compile(pattern, '--nsExclude'));
  return ({ database, collection }) => {
    const name = `${database}.${collection}`;
    if (excluded.some((pattern) => pattern.test(name))) return false;
    return included.length === 0 || included.some((pattern) => pattern.test(name));
  };
}

function compile(pattern: string, option: string): RegExp {
  if (!pattern.includes('.') && !pattern.includes('*')) {
    throw new UsageError(
      `${option} needs a namespace such as 'shop.items' or 'shop.*', not '${pattern}'.`,
    );
  }
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at] ?? '';
    if (character === '*') source += '.*';
    else if (character === '\\' && at + 1 < pattern.length) {
      at += 1;
      source += escaped(pattern[at] ?? '');
    } else source += escaped(character);
  }
  return new RegExp(`^${source}$`, 's');
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

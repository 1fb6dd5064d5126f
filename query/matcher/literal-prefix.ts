/**
 * What a pattern says about the beginning of every text that it matches: bounds for an index, and a quick refusal.
 */

const METACHARACTERS = '\\^$.[]|()?*+{}';

/** The literal text after a leading `^` or `\A`; undefined when a match may begin with something else. */
export function literalPrefix(pattern: string, options: string): string | undefined {
  if (/[imx]/.test(options)) return undefined;
  if (/(?<!\\)(?:\\\\)*\||\\Q/.test(pattern)) return undefined;
  let position = anchorLength(pattern);
  if (position === 0) return undefined;
  let prefix = '';
  while (position < pattern.length) {
    const [character, length] = literalAt(pattern, position);
    if (character === undefined) break;
    const next = pattern[position + length];
    // The character may be repeated zero times, or more often than once: the prefix ends before it.
    if (next !== undefined && '?*{'.includes(next)) break;
    prefix += character;
    position += length;
    if (next === '+') break;
  }
  return prefix === '' ? undefined : prefix;
}

function anchorLength(pattern: string): number {
  if (pattern.startsWith('^')) return 1;
  return pattern.startsWith('\\A') ? 2 : 0;
}

/** The literal character written at `position` and the length of its notation; undefined for anything else. */
function literalAt(pattern: string, position: number): [string | undefined, number] {
  const character = String.fromCodePoint(pattern.codePointAt(position) ?? 0);
  if (character === '\\') {
    const escaped = pattern[position + 1];
    const isLiteral = escaped !== undefined && /[^A-Za-z0-9]/.test(escaped) && escaped < '\x7f';
    return [isLiteral ? escaped : undefined, 2];
  }
  return [METACHARACTERS.includes(character) ? undefined : character, character.length];
}

/** After the anchor there are literals only, or literals and a final `.*` (which then changes nothing). */
export function isOnlyPrefix(pattern: string): boolean {
  let position = anchorLength(pattern);
  while (position < pattern.length) {
    if (pattern.slice(position) === '.*') return true;
    const [character, length] = literalAt(pattern, position);
    if (character === undefined) return false;
    const next = pattern[position + length];
    if (next !== undefined && '?*{+'.includes(next)) return false;
    position += length;
  }
  return true;
}

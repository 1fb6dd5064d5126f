/**
 * Decoded field names, shared: the same few names come by millions of times.
 *
 * Owns: a table of fixed size from the bytes of a short ASCII name to its string; a newer name replaces an older one in
 * the same slot. Promises: the answer never depends on what the table holds, only its speed does.
 */

const SLOTS = 4096;
const LONGEST_SHARED = 32;
const names: string[] = Array.from({ length: SLOTS }, () => '');

/** The text of bytes[start..end); invalid UTF-8 becomes U+FFFD. */
export function nameOf(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > LONGEST_SHARED) return bytes.toString('utf8', start, end);
  let hash = length;
  for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + bytes[at]) | 0;
  const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
  const name = names[slot];
  if (name.length === length && sameAscii(name, bytes, start)) return name;
  const decoded = bytes.toString('utf8', start, end);
  // A name with other than ASCII has fewer characters than bytes, and could not be compared byte by byte.
  if (decoded.length === length) names[slot] = decoded;
  return decoded;
}

function sameAscii(name: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < name.length; index += 1) {
    const byte = bytes[start + index];
    if (byte !== name.charCodeAt(index) || byte > 127) return false;
  }
  return true;
}

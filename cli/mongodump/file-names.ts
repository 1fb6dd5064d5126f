/**
 * Names of the files of a dump directory, from the names of collections, and back.
 * Rules: docs/format/mongodump.md#file-names.
 */
import { createHash } from 'node:crypto';
import { FailedCommand } from '../command-line/subcommand.ts';

/** With the longest ending, .metadata.json.gz, a name stays within 255 bytes. */
const LONGEST = 238;
const KEPT_OF_LONG = 208;
/** Letters, digits, and what a path of a URL may hold besides them. */
const PLAIN = /^[A-Za-z0-9._~$&+=:@-]$/;

/** The file's name without its ending. */
export function fileNameOf(collection: string): string {
  let escaped = '';
  for (const byte of Buffer.from(collection)) {
    const character = String.fromCharCode(byte);
    escaped += PLAIN.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  if (escaped.length <= LONGEST) return escaped;
  const hash = createHash('sha1').update(collection).digest('base64url');
  return `${escaped.slice(0, KEPT_OF_LONG)}%24${hash}`;
}

/** @returns undefined for a shortened name: the metadata file has the whole one. @throws FailedCommand */
export function collectionOfFileName(name: string): string | undefined {
  if (name.length === LONGEST && name.slice(KEPT_OF_LONG).startsWith('%24')) return undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    throw new FailedCommand(`the file name '${name}' holds a '%' that escapes nothing.`);
  }
}

/** A database's directory has its name. @throws FailedCommand for a name that would lead elsewhere. */
export function directoryNameOf(database: string): string {
  if (database === '' || /[/\\\0]|^\.\.?$/.test(database)) {
    throw new FailedCommand(`'${database}' is no name that a directory can have.`);
  }
  return database;
}

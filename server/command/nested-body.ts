/**
 * A document inside a command's body, read like a body of its own: known fields, types and errors in MongoDB's words.
 */
import { FieldCursor, type RawValue } from '../../bson/index.ts';
import { CommandBody } from './command-body.ts';

/** @param name how errors call it, such as 'update.updates' */
export function nestedBody(name: string, bytes: Buffer, parent: CommandBody): CommandBody {
  return separateBody(name, bytes, parent);
}

/** The same for a document that stands elsewhere. @param about the database and the collection that it is about */
export function separateBody(
  name: string,
  bytes: Buffer,
  about: { readonly database: string; readonly target: RawValue },
): CommandBody {
  const body = new CommandBody(name, {
    bytes,
    generic: { database: about.database },
    target: about.target,
    sequences: [],
  });
  const fields = new FieldCursor(bytes);
  while (fields.next()) body.addField(fields.name, fields.value());
  return body;
}

/**
 * A document inside a command's body, read like a body of its own: known fields, types and errors in MongoDB's words.
 */
import { FieldCursor } from '../../bson/index.ts';
import { CommandBody } from './command-body.ts';

/** @param name how errors call it, such as 'update.updates' */
export function nestedBody(name: string, bytes: Buffer, parent: CommandBody): CommandBody {
  const body = new CommandBody(name, {
    bytes,
    generic: { database: parent.database },
    target: parent.target,
    sequences: [],
  });
  const fields = new FieldCursor(bytes);
  while (fields.next()) body.addField(fields.name, fields.value());
  return body;
}

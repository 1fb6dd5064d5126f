/**
 * Session ids as the session commands take them: arrays of { id: UUID }.
 */
import { CommandError } from '../../../common/errors.ts';
import { fieldsOf, getField, type RawValue } from '../../../bson/index.ts';
import { uuid } from '../../command/generic-arguments.ts';

/** MongoDB's bound for one command. */
const MAX_SESSION_IDS = 10_000;

/** The 16 bytes of each id. @param path how errors name the array, such as endSessions. */
export function sessionIdsOf(value: RawValue, path: string): Buffer[] {
  return documentsOf(value, path).map((document, index) => {
    const id = getField(document, 'id');
    if (id !== undefined) return uuid(id, `${path}.${index}.id`);
    throw new CommandError(
      'IDLFailedToParse',
      `BSON field '${path}.${index}.id' is missing but a required field`,
    );
  });
}

/** The documents of an array. */
export function documentsOf(value: RawValue, path: string): Buffer[] {
  if (value.typeName !== 'array') {
    throw new CommandError(
      'TypeMismatch',
      `BSON field '${path}.${path}' is the wrong type '${value.typeName}', expected type 'array'`,
    );
  }
  const documents: Buffer[] = [];
  for (const [name, element] of fieldsOf(value.asDocument())) {
    if (element.typeName !== 'object') {
      throw new CommandError(
        'TypeMismatch',
        `BSON field '${path}.${path}.${name}' is the wrong type '${element.typeName}', expected type 'object'`,
      );
    }
    documents.push(element.asDocument());
  }
  if (documents.length > MAX_SESSION_IDS) {
    throw new CommandError('BadValue', `${path} takes at most ${MAX_SESSION_IDS} sessions`);
  }
  return documents;
}

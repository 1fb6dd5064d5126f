/**
 * Arguments of the format as options of the driver.
 */
import { ReturnDocument, type Document } from 'mongodb';
import type { Entities } from '../runner/entities.ts';
import { MalformedCaseError } from '../runner/format.ts';

/** Puts the session in the place of its name. */
export function resolveArguments(args: Document | undefined, entities: Entities): Document {
  if (args === undefined) return {};
  if (typeof args['session'] !== 'string') return args;
  return { ...args, session: entities.session(args['session']) };
}

/** Options of a cursor: `cursorType` is two flags of the driver. */
export function cursorOptions({ cursorType, ...options }: Document): Document {
  switch (cursorType) {
    case undefined:
    case 'nonTailable':
      return options;
    case 'tailable':
      return { ...options, tailable: true };
    case 'tailableAwait':
      return { ...options, tailable: true, awaitData: true };
    default:
      throw new MalformedCaseError(`cursorType '${cursorType}' is not known`);
  }
}

/** Options of the findAndModify family. */
export function returnOptions({ returnDocument, ...options }: Document): Document {
  switch (returnDocument) {
    case undefined:
      return options;
    case 'Before':
      return { ...options, returnDocument: ReturnDocument.BEFORE };
    case 'After':
      return { ...options, returnDocument: ReturnDocument.AFTER };
    default:
      throw new MalformedCaseError(`returnDocument '${returnDocument}' is not known`);
  }
}

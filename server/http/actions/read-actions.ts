/**
 * findOne, find and aggregate of the Data API.
 * Source: MongoDB's "Data API OpenAPI Reference", version 1.
 */
import { CommandError } from '../../../common/errors.ts';
import { DocumentBuilder } from '../../../bson/index.ts';
import { NAMESPACE_FIELDS, type Action, type ActionFields } from './define-action.ts';

/** Documents of an answer that is one document: as many as MongoDB's Data API gives unless told otherwise, and at most. */
const DEFAULT_LIMIT = 1000;
const MAX_LIMIT = 50_000;

const FILTER = { type: 'object', help: 'Which documents; all when it is absent.' } as const;
const PROJECTION = { type: 'object', help: 'Which of their fields.' } as const;
const SORT = { type: 'object', help: 'In which order.' } as const;

export const findOne: Action = {
  name: 'findOne',
  help: 'Finds one document.',
  fields: { ...NAMESPACE_FIELDS, filter: FILTER, projection: PROJECTION, sort: SORT },
  answers: { statuses: [200], fields: { document: { type: ['object', 'null'] } } },
  prepare(fields) {
    const command = beginCommand('find', fields, ['filter', 'projection', 'sort']);
    command.appendInteger('limit', 1).appendBoolean('singleBatch', true);
    return { command: command.finish(), cursor: { field: 'document', limit: 1 } };
  },
};

export const find: Action = {
  name: 'find',
  help: 'Finds documents.',
  fields: {
    ...NAMESPACE_FIELDS,
    filter: FILTER,
    projection: PROJECTION,
    sort: SORT,
    limit: {
      type: 'count',
      help: `At most so many: by default ${DEFAULT_LIMIT} and never above ${MAX_LIMIT}, unless they come as lines.`,
    },
    skip: { type: 'count', help: 'So many are left out first.' },
  },
  answers: { statuses: [200], fields: { documents: { type: 'array', items: { type: 'object' } } } },
  prepare(fields) {
    const command = beginCommand('find', fields, ['filter', 'projection', 'sort', 'limit', 'skip']);
    // In the command 0 is no limit, and so it is here.
    const given = fields.get('limit')?.asNumber() ?? 0;
    const limit = given === 0 ? DEFAULT_LIMIT : Math.min(given, MAX_LIMIT);
    return { command: command.finish(), cursor: { field: 'documents', limit } };
  },
};

export const aggregate: Action = {
  name: 'aggregate',
  help: 'Runs an aggregation pipeline.',
  fields: {
    ...NAMESPACE_FIELDS,
    pipeline: { type: 'documents', help: 'The stages.', required: true },
  },
  answers: { statuses: [200], fields: { documents: { type: 'array', items: { type: 'object' } } } },
  prepare(fields) {
    const command = beginCommand('aggregate', fields, ['pipeline']);
    command.beginDocument('cursor').end();
    return { command: command.finish(), cursor: { field: 'documents', limit: MAX_LIMIT } };
  },
};

/** The command's first field, `$db`, maxTimeMS and what the request says under the same names. */
export function beginCommand(
  name: string,
  fields: ActionFields,
  copied: readonly string[] = [],
): DocumentBuilder {
  const command = new DocumentBuilder();
  command.appendString(name, textOf(fields, 'collection'));
  command.appendString('$db', textOf(fields, 'database'));
  for (const field of ['maxTimeMS', ...copied]) {
    const value = fields.get(field);
    if (value !== undefined) command.append(field, value);
  }
  return command;
}

function textOf(fields: ActionFields, name: string): string {
  const value = fields.get(name);
  if (value === undefined) {
    throw new CommandError('IDLFailedToParse', `BSON field '${name}' is missing`);
  }
  return value.asString();
}

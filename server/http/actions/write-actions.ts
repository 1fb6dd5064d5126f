/**
 * The writing actions of the Data API.
 * Source: MongoDB's "Data API OpenAPI Reference", version 1.
 */
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../../common/limits.ts';
import {
  BsonType,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  FieldCursor,
  firstFieldName,
  getField,
  indexName,
  objectIdValue,
  withIdFirst,
  type RawValue,
} from '../../../bson/index.ts';
import {
  NAMESPACE_FIELDS,
  type Action,
  type ActionAnswer,
  type ActionContext,
  type ActionField,
  type ActionFields,
} from './define-action.ts';
import { beginCommand } from './read-actions.ts';

const FILTER: ActionField = { type: 'object', help: 'Which documents; all when it is absent.' };
const REQUIRED_FILTER: ActionField = { type: 'object', help: 'Which documents.', required: true };
const UPSERT: ActionField = {
  type: 'boolean',
  help: 'Inserts a document when none matches; default false.',
};
const UPDATED_FIELDS = {
  matchedCount: { type: 'integer' },
  modifiedCount: { type: 'integer' },
  upsertedId: {},
};

export const insertOne: Action = {
  name: 'insertOne',
  help: 'Inserts one document.',
  fields: {
    ...NAMESPACE_FIELDS,
    document: { type: 'object', help: 'The document.', required: true },
  },
  answers: { statuses: [201], fields: { insertedId: {} } },
  prepare(fields, context) {
    const { document, id } = withId(fields.get('document'), context);
    const command = beginInsert(fields, [document]);
    const body = new DocumentBuilder().append('insertedId', id).finish();
    return { command, answer: () => ({ status: 201, body }) };
  },
};

export const insertMany: Action = {
  name: 'insertMany',
  help: 'Inserts documents, in order, up to the first that cannot be.',
  fields: {
    ...NAMESPACE_FIELDS,
    documents: { type: 'documents', help: 'The documents.', required: true },
  },
  answers: { statuses: [201], fields: { insertedIds: { type: 'array' } } },
  prepare(fields, context) {
    const made = elementsOf(fields.get('documents')).map((element) => withId(element, context));
    const command = beginInsert(
      fields,
      made.map(({ document }) => document),
    );
    const answer = new DocumentBuilder().beginArray('insertedIds');
    for (const [index, { id }] of made.entries()) answer.append(indexName(index), id);
    const body = answer.end().finish();
    return { command, answer: () => ({ status: 201, body }) };
  },
};

export const updateOne = updateAction('updateOne', 'Changes one document.', false);
export const updateMany = updateAction('updateMany', 'Changes all matching documents.', true);

export const replaceOne: Action = {
  name: 'replaceOne',
  help: 'Replaces one document.',
  fields: {
    ...NAMESPACE_FIELDS,
    filter: REQUIRED_FILTER,
    replacement: { type: 'object', help: 'The document in its place.', required: true },
    upsert: UPSERT,
  },
  answers: { statuses: [200, 201], fields: UPDATED_FIELDS },
  prepare(fields) {
    const replacement = fields.get('replacement');
    if (replacement !== undefined && isOperator(firstFieldName(replacement.asDocument()))) {
      throw new CommandError(
        'FailedToParse',
        'Replacement document must not contain atomic operators',
      );
    }
    return { command: updateCommand(fields, replacement, false), answer: updateAnswer };
  },
};

export const deleteOne = deleteAction('deleteOne', 'Deletes one document.', 1);
export const deleteMany = deleteAction('deleteMany', 'Deletes all matching documents.', 0);

function updateAction(name: string, help: string, isMulti: boolean): Action {
  return {
    name,
    help,
    fields: {
      ...NAMESPACE_FIELDS,
      filter: FILTER,
      update: { type: 'update', help: 'Update operators, or a pipeline.', required: true },
      upsert: UPSERT,
    },
    answers: { statuses: [200, 201], fields: UPDATED_FIELDS },
    prepare(fields) {
      const update = fields.get('update');
      const isPipeline = update?.type === BsonType.array;
      if (!isPipeline && !isOperator(firstFieldName(update?.asDocument() ?? EMPTY_DOCUMENT))) {
        throw new CommandError('FailedToParse', 'Update document requires atomic operators');
      }
      return { command: updateCommand(fields, update, isMulti), answer: updateAnswer };
    },
  };
}

function deleteAction(name: string, help: string, limit: 0 | 1): Action {
  return {
    name,
    help,
    // One that is forgotten must not empty a collection.
    fields: { ...NAMESPACE_FIELDS, filter: REQUIRED_FILTER },
    answers: { statuses: [200], fields: { deletedCount: { type: 'integer' } } },
    prepare(fields) {
      const command = beginCommand('delete', fields).beginArray('deletes').beginDocument('0');
      command.appendDocument('q', filterOf(fields)).appendInteger('limit', limit).end().end();
      return { command: command.finish(), answer: deleteAnswer };
    },
  };
}

function beginInsert(fields: ActionFields, documents: readonly Buffer[]): Buffer {
  const command = beginCommand('insert', fields).beginArray('documents');
  for (const [index, document] of documents.entries()) {
    command.appendDocument(indexName(index), document);
  }
  return command.end().finish();
}

function updateCommand(fields: ActionFields, update: RawValue | undefined, multi: boolean): Buffer {
  const command = beginCommand('update', fields).beginArray('updates').beginDocument('0');
  command.appendDocument('q', filterOf(fields));
  if (update !== undefined) command.append('u', update);
  command.appendBoolean('multi', multi);
  command.appendBoolean('upsert', fields.get('upsert')?.asBoolean() ?? false);
  return command.end().end().finish();
}

function updateAnswer(reply: Buffer): ActionAnswer {
  const upserted = elementsOf(getField(reply, 'upserted'))[0];
  const id = upserted === undefined ? undefined : getField(upserted.asDocument(), '_id');
  const matched = (getField(reply, 'n')?.asNumber() ?? 0) - (id === undefined ? 0 : 1);
  const body = new DocumentBuilder()
    .appendInteger('matchedCount', matched)
    .appendInteger('modifiedCount', getField(reply, 'nModified')?.asNumber() ?? 0);
  if (id !== undefined) body.append('upsertedId', id);
  return { status: id === undefined ? 200 : 201, body: body.finish() };
}

function deleteAnswer(reply: Buffer): ActionAnswer {
  const count = getField(reply, 'n')?.asNumber() ?? 0;
  const body = new DocumentBuilder().appendInteger('deletedCount', count).finish();
  return { status: 200, body };
}

/** The document with its _id in front, which is made when it has none: the answer names it. */
function withId(
  value: RawValue | undefined,
  context: ActionContext,
): { document: Buffer; id: RawValue } {
  const document = value?.asDocument() ?? EMPTY_DOCUMENT;
  const given = getField(document, '_id');
  const id = given ?? objectIdValue(context.newObjectId());
  const whole = given === undefined ? withIdFirst(document, id) : document;
  checkSize(whole);
  return { document: whole, id };
}

/** As for a message of the wire protocol: insert itself would call it a bad value, and nothing would say that it is the size (413). */
function checkSize(document: Buffer): void {
  if (document.length <= MAX_BSON_OBJECT_BYTES) return;
  throw new CommandError(
    'BSONObjectTooLarge',
    `object to insert too large. size in bytes: ${document.length}, max size: ${MAX_BSON_OBJECT_BYTES}`,
  );
}

function filterOf(fields: ActionFields): Buffer {
  return fields.get('filter')?.asDocument() ?? EMPTY_DOCUMENT;
}

function elementsOf(array: RawValue | undefined): RawValue[] {
  if (array === undefined || array.type !== BsonType.array) return [];
  const elements: RawValue[] = [];
  const cursor = new FieldCursor(array.asDocument());
  while (cursor.next()) elements.push(cursor.value());
  return elements;
}

function isOperator(name: string | undefined): boolean {
  return name?.startsWith('$') === true;
}

/**
 * validateDBMetadata: which collections, views and indexes a version of the stable API would not accept.
 * Source: MongoDB's manual, "validateDBMetadata".
 */
import { fieldsOf, getField } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { CollectionDescription, IndexDescription } from '../../../storage/index.ts';
import { splitNamespace } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields } from '../../command/reply.ts';
import { nestedBody } from '../../command/nested-body.ts';

/** The reply says `hasMoreErrors` beyond it. */
const MOST_ERRORS = 10_000;
/** Index options and kinds outside of version 1. */
const UNSTABLE_INDEX_OPTIONS = ['sparse', 'background', 'bits', 'storageEngine'];

export const validateDBMetadata = defineCommand({
  name: 'validateDBMetadata',
  help: 'Lists the collections and indexes that a version of the stable API does not accept.',
  kind: 'admin',
  access: { action: 'validate', on: 'database' },
  route: 'allShards',
  apiVersions: ['1'],
  parse: (body) => {
    const parameters = nestedBody(
      'validateDBMetadata.apiParameters',
      body.document('apiParameters'),
      body,
    );
    const version = parameters.string('version');
    const strict = parameters.boolean('strict', false);
    parameters.boolean('deprecationErrors', false);
    parameters.rejectUnknownFields();
    if (version !== '1') {
      throw new CommandError('APIVersionError', `API version must be "1"`);
    }
    return {
      strict,
      database: body.string('db', undefined),
      collection: body.string('collection', undefined),
    };
  },
  execute: ({ strict, database, collection }, op) => {
    if (!strict) return [];
    return op
      .view()
      .collections(database)
      .filter(({ namespace }) => {
        return collection === undefined || splitNamespace(namespace).collection === collection;
      })
      .flatMap(errorsOf);
  },
  reply: (errors) => ({
    apiVersionErrors: errors.slice(0, MOST_ERRORS),
    hasMoreErrors: errors.length > MOST_ERRORS ? true : undefined,
  }),
});

function errorsOf(collection: CollectionDescription): ReplyFields[] {
  return collection.indexes.filter(isUnstable).map(({ name }) => ({
    ns: collection.namespace,
    code: 323,
    codeName: 'APIStrictError',
    errmsg: `The index with name ${name} is not allowed in API version 1.`,
  }));
}

function isUnstable({ spec }: IndexDescription): boolean {
  if (UNSTABLE_INDEX_OPTIONS.some((option) => getField(spec, option) !== undefined)) return true;
  const key = getField(spec, 'key');
  if (key === undefined) return false;
  return [...fieldsOf(key.asDocument())].some(
    ([, kind]) => kind.typeName === 'string' && ['text', 'geoHaystack'].includes(kind.asString()),
  );
}

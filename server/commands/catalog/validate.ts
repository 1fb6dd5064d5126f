/**
 * validate: checks a collection against its indexes.
 * Source: MongoDB's manual, "validate".
 */
import { requireCollection } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';

export const validate = defineCommand({
  name: 'validate',
  help: 'Checks the documents and indexes of a collection.',
  kind: 'admin',
  access: { action: 'validate', on: 'collection' },
  route: 'allShards',
  parse: (body) => {
    const namespace = body.collection();
    body.refuse(
      'repair',
      'background',
      'fixMultikey',
      'checkBSONConformance',
      'metadata',
      'collHash',
    );
    body.refuse('hashPrefixes', 'unhash', 'enforceFastCount');
    return { namespace, full: body.safeBoolean('full', false) };
  },
  execute: async ({ namespace, full }, op) => {
    const collection = requireCollection(op.view(), namespace);
    const report = await op.engine.validate(namespace, { full }, op);
    return { namespace, collection, report };
  },
  reply: ({ namespace, collection, report }) => {
    const details = collection.indexes.map(({ name }) => [name, { valid: report.valid }]);
    return {
      ns: namespace,
      nInvalidDocuments: 0,
      nNonCompliantDocuments: 0,
      nrecords: report.recordCount,
      nIndexes: collection.indexes.length,
      keysPerIndex: report.keysPerIndex,
      indexDetails: Object.fromEntries(details),
      valid: report.valid,
      repaired: false,
      warnings: report.warnings,
      errors: report.errors,
      extraIndexEntries: [],
      missingIndexEntries: [],
      corruptRecords: [],
      advice: report.valid
        ? undefined
        : 'The collection and its indexes disagree: restore it from a backup, or dump and reload it.',
    };
  },
});

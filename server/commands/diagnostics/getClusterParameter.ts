/**
 * getClusterParameter and setClusterParameter: settings that are kept with the data.
 * Source: MongoDB's manual, "getClusterParameter", "setClusterParameter".
 */
import { BsonType, documentOf, fieldsOf } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { collectionForWrite } from '../../catalog/namespace.ts';
import { defineCommand } from '../../command/define-command.ts';
import { CLUSTER_PARAMETERS_NAMESPACE as NAMESPACE } from '../../options/cluster-parameters.ts';
import { findFirst, writeTarget } from '../crud/matching-records.ts';
import { queryContext } from '../crud/query-context.ts';

export const getClusterParameter = defineCommand({
  name: 'getClusterParameter',
  help: 'Shows cluster parameters.',
  kind: 'admin',
  access: { action: 'getClusterParameter', on: 'cluster' },
  route: 'configServer',
  adminOnly: true,
  parse(body): readonly string[] | undefined {
    const { target } = body;
    if (target.type === BsonType.string) {
      return target.asString() === '*' ? undefined : [target.asString()];
    }
    if (target.type !== BsonType.array) {
      throw body.wrongType(body.command, target, "expected types '[string, array]'");
    }
    const names = [...fieldsOf(target.asDocument())].map(([index, name]) => {
      if (name.type === BsonType.string) return name.asString();
      throw body.wrongType(`${body.command}.${index}`, name, "expected type 'string'");
    });
    uassert(names.length > 0, 'BadValue', 'Must supply at least one cluster server parameter name');
    return names;
  },
  execute: (names, { service }) =>
    (names ?? service.clusterParameters.names()).map((name) =>
      service.clusterParameters.describe(name),
    ),
  reply: (clusterParameters) => ({ clusterParameters }),
});

export const setClusterParameter = defineCommand({
  name: 'setClusterParameter',
  help: 'Changes a cluster parameter, for this and all later starts.',
  kind: 'admin',
  takesWriteConcern: true,
  access: { action: 'setClusterParameter', on: 'cluster' },
  route: 'configServer',
  adminOnly: true,
  parse(body) {
    if (body.target.type !== BsonType.object) {
      throw body.wrongType(body.command, body.target, "expected type 'object'");
    }
    const [change, ...more] = fieldsOf(body.target.asDocument());
    if (change === undefined || more.length > 0) {
      throw new CommandError(
        'BadValue',
        `${body.command} only supports setting exactly one parameter`,
      );
    }
    const [name, value] = change;
    return { name, value };
  },
  async execute({ name, value }, op) {
    const { clusterParameters, stamps } = op.service;
    const document = clusterParameters.change(name, value, stamps.nextTimestamp());
    const filter = documentOf({ _id: name });
    await op.transact(async (transaction) => {
      const collection = collectionForWrite(transaction, NAMESPACE);
      const target = writeTarget({ namespace: NAMESPACE, filter }, queryContext(op));
      const found = await findFirst(op, transaction, collection, target);
      if (found === undefined) transaction.insert(collection, document);
      else transaction.update(collection, found.recordId, found.document, document);
    });
    clusterParameters.adopt(document);
  },
  reply: () => ({}),
});

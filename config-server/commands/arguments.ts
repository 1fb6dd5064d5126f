/**
 * What the _configsvr commands have in common: their traits, and namespaces as they are given whole.
 */
import { BsonType } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommandBody } from '../../server/index.ts';
import type { CommandTraits } from '../../server/cluster.ts';

/** Of a command that routers send, and nobody else. */
export function configTraits(
  name: string,
  help: string,
  action: string,
): CommandTraits & { readonly name: string } {
  return {
    name,
    help,
    kind: 'admin',
    access: { action, on: 'cluster' },
    route: 'never',
    adminOnly: true,
    takesWriteConcern: true,
  };
}

/** What the command's first field names. @throws CommandError TypeMismatch */
export function textIn({ command, target }: CommandBody): string {
  if (target.type === BsonType.string) return target.asString();
  throw new CommandError(
    'TypeMismatch',
    `BSON field '${command}' is the wrong type '${target.typeName}', expected type 'string'`,
  );
}

/** "database.collection" there. @throws CommandError InvalidNamespace, TypeMismatch */
export function namespaceIn(body: CommandBody): string {
  const namespace = textIn(body);
  const dot = namespace.indexOf('.');
  if (dot > 0 && dot < namespace.length - 1) return namespace;
  throw new CommandError('InvalidNamespace', `Invalid namespace specified '${namespace}'`);
}

export function databaseOf(namespace: string): string {
  return namespace.slice(0, namespace.indexOf('.'));
}

/**
 * What a dump of a MongoDB may hold besides collections of users, and what becomes of it.
 */
import type { Namespace } from '../command-line/namespace-filter.ts';

const OPLOG_NOTE =
  'The dump holds an oplog (mongodump --oplog); it is not replayed: collections come back as they were when each was read.';

/** @returns the sentence to say when it is not restored; undefined for what is. */
export function noteOnSpecial({ database, collection }: Namespace): string | undefined {
  if (database === '' && collection.startsWith('oplog')) return OPLOG_NOTE;
  if (database === 'local' || database === 'config') {
    return `The database '${database}' belongs to the server it was dumped from; it is not restored.`;
  }
  if (database === 'admin' && collection.startsWith('system.')) {
    return 'Users, roles and settings (admin.system.*) are not restored.';
  }
  if (collection.startsWith('$admin.system.'))
    return 'Users and roles of a database are not restored.';
  if (/^system\.(?!js$|buckets\.)/.test(collection)) {
    return `${database}.${collection} belongs to the server it was dumped from; it is not restored.`;
  }
  return undefined;
}

/**
 * Queryable encryption's upkeep, refused for collections that are not encrypted: there are no others (create refuses
 * encryptedFields by name).
 * Source: MongoDB's manual, "compactStructuredEncryptionData", "cleanupStructuredEncryptionData".
 */
import type { Command } from '../../command/define-command.ts';
import { defineRefusal } from '../../command/define-refusal.ts';

function onlyOnEncrypted(name: string, code: number, help: string): Command {
  return defineRefusal({
    name,
    help,
    access: { action: name, on: 'collection' },
    route: 'primaryShard',
    onCollection: true,
    code,
    message: 'Target namespace is not an encrypted collection',
  });
}

export const compactStructuredEncryptionData = onlyOnEncrypted(
  'compactStructuredEncryptionData',
  6_346_807,
  'Compacts the metadata of an encrypted collection.',
);
export const cleanupStructuredEncryptionData = onlyOnEncrypted(
  'cleanupStructuredEncryptionData',
  7_618_803,
  'Cleans up the metadata of an encrypted collection.',
);

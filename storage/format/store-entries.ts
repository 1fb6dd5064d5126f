/**
 * Entries of the index store in a backup: key and value one after the other. docs/format/backup.md#entries
 *
 * Without the checksums that stand behind values in the index store: a frame of a backup has its own.
 */
import { CorruptionError } from '../../common/errors.ts';

/** Before each entry's key. docs/format/backup.md#entry */
export const BACKUP_ENTRY = {
  keyBytes: 0, // u16
  reserved: 2, // u16
  valueBytes: 4, // u32
  size: 8,
} as const;

export function storeEntryBytes(key: Buffer, value: Buffer): number {
  return BACKUP_ENTRY.size + key.length + value.length;
}

/** Writes one entry; the caller has made room. @returns the offset behind it */
export function writeStoreEntry(
  target: Buffer,
  offset: number,
  key: Buffer,
  value: Buffer,
): number {
  target.writeUInt16LE(key.length, offset + BACKUP_ENTRY.keyBytes);
  target.writeUInt16LE(0, offset + BACKUP_ENTRY.reserved);
  target.writeUInt32LE(value.length, offset + BACKUP_ENTRY.valueBytes);
  const keyAt = offset + BACKUP_ENTRY.size;
  const valueAt = keyAt + key.copy(target, keyAt);
  return valueAt + value.copy(target, valueAt);
}

/** Visits the entries in order; key and value share the memory of `bytes`. @throws CorruptionError malformed */
export function forEachStoreEntry(
  bytes: Buffer,
  visit: (key: Buffer, value: Buffer) => void,
): void {
  let at = 0;
  while (at < bytes.length) {
    if (at + BACKUP_ENTRY.size > bytes.length) throw malformed();
    const keyAt = at + BACKUP_ENTRY.size;
    const valueAt = keyAt + bytes.readUInt16LE(at + BACKUP_ENTRY.keyBytes);
    const end = valueAt + bytes.readUInt32LE(at + BACKUP_ENTRY.valueBytes);
    if (valueAt === keyAt || end > bytes.length) throw malformed();
    visit(bytes.subarray(keyAt, valueAt), bytes.subarray(valueAt, end));
    at = end;
  }
}

function malformed(): CorruptionError {
  return new CorruptionError('malformed', 'backup entries', 'lengths do not fit');
}

/**
 * backupOpen: takes a checkpoint and holds it still, so that backupRead can copy it piece by piece.
 * Why these commands and not $backupCursor: docs/decisions/0013-backups.md.
 */
import { binaryValue, int64Value, timestampValue } from '../../../bson/index.ts';
import type { SectorRun } from '../../../storage/index.ts';
import { FLINTDB_VERSION } from '../../../common/version.ts';
import { defineCommand } from '../../command/define-command.ts';

/** Of one run of sectors: first u64, count u32, little-endian. */
const RUN_BYTES = 12;

export const backupOpen = defineCommand({
  name: 'backupOpen',
  help: 'Holds the store as it is at one commit, to be copied with backupRead while writers go on.',
  kind: 'admin',
  access: { action: 'fsync', on: 'cluster' },
  route: 'never',
  adminOnly: true,
  passesBarrier: true,
  parse: () => undefined,
  async execute(_request, op) {
    const opening = op.engine.openBackup();
    try {
      const store = await op.waitFor(opening);
      return { store, id: op.service.backups.add({ kind: 'store', store }) };
    } catch (error) {
      // Interrupted while the checkpoint was being taken: nobody will ask for it.
      void opening.then(
        (store) => store.close(),
        () => {},
      );
      throw error;
    }
  },
  reply({ store, id }, op) {
    const { point, runs, entryBytes } = store;
    const { timestamp } = point;
    return {
      backup: id,
      version: FLINTDB_VERSION,
      commitNumber: int64Value(BigInt(point.commitNumber)),
      timestamp: timestampValue(timestamp.seconds, timestamp.increment),
      storeId: point.storeId,
      sectorBytes: point.sectorBytes,
      extentSectors: point.extentSectors,
      pageSectors: point.pageSectors,
      generationLimit: int64Value(BigInt(point.generationLimit)),
      base: binaryValue(point.base),
      entryBytes: int64Value(BigInt(entryBytes)),
      sectors: binaryValue(packRuns(runs)),
      idleTimeoutMillis: op.service.parameters.get('backupIdleTimeoutMillis'),
    };
  },
});

function packRuns(runs: readonly SectorRun[]): Buffer {
  const packed = Buffer.alloc(runs.length * RUN_BYTES);
  for (const [index, { first, count }] of runs.entries()) {
    packed.writeBigUInt64LE(BigInt(first), index * RUN_BYTES);
    packed.writeUInt32LE(count, index * RUN_BYTES + 8);
  }
  return packed;
}

/**
 * A restored store, opened as a server would open it, to be changed before anybody starts on it.
 */
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { loadServer } from '../../server/index.ts';
import { openEngine, type StorageEngine } from '../../storage/index.ts';

/** Opens it, runs `work`, and closes it. @param dbpath of a store that nobody has open */
export async function withRestoredEngine<Result>(
  dbpath: string,
  work: (engine: StorageEngine) => Result | Promise<Result>,
): Promise<Result> {
  const { indexKeyGenerator, versionedKeys } = await loadServer();
  const engine = await openEngine({
    dbpath,
    clock: systemClock,
    random: systemRandom,
    keyGenerators: indexKeyGenerator,
    versionedKeys,
  });
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

/**
 * A flintd inside the process that asks for it: for tests that want no child process.
 *
 * Owns: the engine and the server that it starts. It takes no signals, writes no log, and ends nothing but itself; the
 * SDK's startServer({ inProcess: true }) loads it by its path.
 */
import { systemClock } from '../../common/clock.ts';
import { FailPoints } from '../../common/failpoints.ts';
import { silentLog } from '../../common/log.ts';
import { systemRandom } from '../../common/random.ts';
import {
  FLINTD_OPTIONS,
  flintdOptionsFrom,
  loadServer,
  nestOptions,
  ParameterSet,
  parseCommandLine,
} from '../../server/index.ts';
import { openEngine } from '../../storage/index.ts';
import { servingOptions } from './serving-options.ts';

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const GIGABYTE = 1024 ** 3;
/** A test's data are small, and so is what it leaves to its host. */
const DEFAULT_CACHE_BYTES = GIGABYTE / 16;

export interface EmbeddedServer {
  readonly port: number;
  readonly httpPort: number | undefined;
  /** Ends connections and the engine. Idempotent. */
  stop(): Promise<void>;
}

/**
 * @param arguments_ as flintd's command line has them. @throws UsageError, the system's error when the port is taken,
 *   CommandError or CorruptionError when the data directory cannot be opened.
 */
export async function startEmbedded(arguments_: readonly string[]): Promise<EmbeddedServer> {
  // The timers of the clock keep no process alive: without this one a start or a stop that waits for nothing else would end
  // the process in the middle.
  const alive = setInterval(() => {}, LONGEST_TIMER_MS);
  try {
    return await start(arguments_, () => clearInterval(alive));
  } catch (error) {
    clearInterval(alive);
    throw error;
  }
}

async function start(
  arguments_: readonly string[],
  onStopped: () => void,
): Promise<EmbeddedServer> {
  const given = parseCommandLine(FLINTD_OPTIONS, arguments_);
  const options = flintdOptionsFrom(given);
  const parameters = new ParameterSet();
  for (const [name, value] of options.parameters) parameters.set(name, value, 'startup');
  const failPoints = new FailPoints(systemRandom);
  const { createServer, indexKeyGenerator, versionedKeys } = await loadServer();
  const engine = await openEngine({
    ...(options.inMemory ? {} : { dbpath: options.dbPath }),
    clock: systemClock,
    random: systemRandom,
    failPoints,
    keyGenerators: indexKeyGenerator,
    versionedKeys,
    cacheBytes: options.cacheBytes ?? DEFAULT_CACHE_BYTES,
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await engine.close();
    onStopped();
  };
  let stopping: Promise<void> | undefined;
  const server = createServer({
    engine,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    failPoints,
    parameters,
    ...servingOptions(options),
    dbPath: '',
    argv: ['flintd', ...arguments_],
    parsedOptions: nestOptions(FLINTD_OPTIONS, given),
    onShutdownRequested: () => {
      stopping ??= stop();
    },
  });
  try {
    await server.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port: server.port,
    httpPort: server.httpPort,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

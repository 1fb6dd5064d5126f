/**
 * Which compressors there are, and which the two ends of a connection agree on.
 */
import { CommandError } from '../../common/errors.ts';
import { COMPRESSOR_IDS, type Compressor, type CompressorName } from './compressor.ts';
import { noop } from './noop.ts';
import { snappy } from './snappy.ts';
import { zlib } from './zlib.ts';

const COMPRESSORS: readonly Compressor[] = [noop, snappy, zlib];

/** What a server offers unless told otherwise, in its order of preference (mongod's default is snappy,zstd,zlib). */
export const DEFAULT_COMPRESSORS: readonly CompressorName[] = ['snappy', 'zlib'];

/** @throws CommandError BadValue for a name that is unknown or, like zstd, known and not built in. */
export function compressorByName(name: string): Compressor {
  const found = COMPRESSORS.find((compressor) => compressor.name === name);
  if (found !== undefined) return found;
  const known = name in COMPRESSOR_IDS;
  throw new CommandError(
    'BadValue',
    known ? `Compressor ${name} is not built in` : `Invalid network message compressor: ${name}`,
  );
}

/** @throws CommandError BadValue, by name where the id is known. */
export function compressorById(id: number): Compressor {
  const found = COMPRESSORS.find((compressor) => compressor.id === id);
  if (found !== undefined) return found;
  if (id === COMPRESSOR_IDS.zstd) {
    throw new CommandError('BadValue', 'Compression algorithm zstd (3) is not available');
  }
  throw new CommandError(
    'BadValue',
    `Compression algorithm specified in message is not available: ${id}`,
  );
}

/**
 * The server's half of the negotiation: those of the client's names that this side offers, in the client's order. The
 * client uses the first; an empty answer means no compression.
 */
export function negotiateCompressors(
  requested: readonly string[],
  offered: readonly CompressorName[] = DEFAULT_COMPRESSORS,
): CompressorName[] {
  const agreed = new Set<CompressorName>();
  for (const name of requested) {
    const match = offered.find((offer) => offer === name);
    if (match !== undefined) agreed.add(match);
  }
  return [...agreed];
}

/**
 * Which compressors there are, and which the two ends of a connection agree on.
 */
import { CommandError } from '../../common/errors.ts';
import { COMPRESSOR_IDS, type Compressor, type CompressorName } from './compressor.ts';
import { noop } from './noop.ts';
import { snappy } from './snappy.ts';
import { zlib } from './zlib.ts';
import { isZstdLoaded, loadZstd, zstd } from './zstd.ts';

const COMPRESSORS: readonly Compressor[] = [noop, snappy, zlib, zstd];

/** What a server offers unless told otherwise, mongod's default. */
export const DEFAULT_COMPRESSORS: readonly CompressorName[] = ['snappy', 'zstd', 'zlib'];

/** @throws CommandError BadValue for a name that is unknown. */
export function compressorByName(name: string): Compressor {
  const found = COMPRESSORS.find((compressor) => compressor.name === name);
  if (found !== undefined) return found;
  throw new CommandError('BadValue', `Invalid network message compressor: ${name}`);
}

/** True for the name of a compressor that may be agreed on: any but noop. */
export function isCompressorName(name: string): name is CompressorName {
  return name !== noop.name && name in COMPRESSOR_IDS;
}

/**
 * Makes compressors ready for use; those that cannot be loaded are left out. Synchronous when nothing has to be loaded, as
 * it is but for the first use of zstd.
 */
export function prepareCompressors(
  names: readonly CompressorName[],
): CompressorName[] | Promise<CompressorName[]> {
  if (!names.includes('zstd') || isZstdLoaded()) return [...names];
  return loadZstd().then((isLoaded) => names.filter((name) => isLoaded || name !== 'zstd'));
}

/** @throws CommandError BadValue */
export function compressorById(id: number): Compressor {
  const found = COMPRESSORS.find((compressor) => compressor.id === id);
  if (found !== undefined) return found;
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

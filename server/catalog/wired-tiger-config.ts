/**
 * `storageEngine: {wiredTiger: {configString: "block_compressor=zstd"}}`: how users of MongoDB say what a collection's pages are
 * compressed with.
 *
 * Owns: reading and checking that string as WiredTiger does. Of its settings block_compressor means something here; the
 * others tune an engine that this is not, and are kept and shown.
 * Source: WiredTiger's documentation of WT_SESSION::create; MongoDB's WiredTigerUtil::checkTableCreationOptions.
 */
import { BsonType, fieldsOf, getField, type RawValue } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionDescription, PageCompression } from '../../storage/index.ts';

/** Settings that WT_SESSION::create takes. */
const SETTINGS: ReadonlySet<string> = new Set([
  'access_pattern_hint',
  'allocation_size',
  'app_metadata',
  'assert',
  'block_allocation',
  'block_compressor',
  'cache_resident',
  'checksum',
  'colgroups',
  'collator',
  'columns',
  'dictionary',
  'encryption',
  'exclusive',
  'extractor',
  'format',
  'huffman_key',
  'huffman_value',
  'ignore_in_memory_cache_size',
  'immutable',
  'import',
  'internal_item_max',
  'internal_key_max',
  'internal_key_truncate',
  'internal_page_max',
  'key_format',
  'key_gap',
  'leaf_item_max',
  'leaf_key_max',
  'leaf_page_max',
  'leaf_value_max',
  'log',
  'lsm',
  'memory_page_image_max',
  'memory_page_max',
  'os_cache_dirty_max',
  'os_cache_max',
  'prefix_compression',
  'prefix_compression_min',
  'readonly',
  'source',
  'split_deepen_min_child',
  'split_deepen_per_child',
  'split_pct',
  'tiered_object',
  'tiered_storage',
  'type',
  'value_format',
  'verbose',
  'write_timestamp_usage',
]);

const COMPRESSIONS: Readonly<Record<string, PageCompression>> = {
  '': 'none',
  none: 'none',
  snappy: 'snappy',
  zstd: 'zstd',
};

/** Checks the settings of `storageEngine.wiredTiger`. @throws CommandError InvalidOptions, TypeMismatch, BadValue, 6627201 */
export function checkWiredTigerSettings(settings: Buffer): void {
  for (const [name, value] of fieldsOf(settings)) {
    uassert(name === 'configString', 'InvalidOptions', `'${name}' is not a supported option.`);
    checkConfigString(value);
  }
}

function checkConfigString(value: RawValue): void {
  uassert(value.type === BsonType.string, 'TypeMismatch', "'configString' must be a string.");
  const config = value.asString();
  uassert(!config.includes('\0'), 'FailedToParse', "malformed 'configString' value.");
  uassert(!config.includes('type=lsm'), 6627201, "Configuration 'type=lsm' is not supported.");
  const settings = settingsOf(config);
  for (const name of settings.keys()) {
    if (!SETTINGS.has(name)) throw invalid(`unknown configuration key: '${name}'`);
  }
  const compressor = settings.get('block_compressor');
  if (compressor !== undefined && COMPRESSIONS[compressor] === undefined) {
    throw invalid(`unknown compressor '${compressor}'`);
  }
}

/** What the options of a collection say of its pages; nothing when they leave it to the server. For createCollection. */
export function compressionIn(options: Buffer): { readonly compression?: PageCompression } {
  const config = configStringIn(options);
  const compressor = config === undefined ? undefined : settingsOf(config).get('block_compressor');
  const compression = compressor === undefined ? undefined : COMPRESSIONS[compressor];
  return compression === undefined ? {} : { compression };
}

/** As WiredTiger's metadata would show how the collection was created: what was asked for, and what it came to. */
export function creationStringOf({ compression, options }: CollectionDescription): string {
  const settings = settingsOf(configStringIn(options) ?? '');
  settings.set('block_compressor', compression === 'none' ? '' : compression);
  return [...settings]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

function configStringIn(options: Buffer): string | undefined {
  const engines = getField(options, 'storageEngine')?.asDocument();
  const settings = engines === undefined ? undefined : getField(engines, 'wiredTiger');
  const config =
    settings === undefined ? undefined : getField(settings.asDocument(), 'configString');
  return config?.asString();
}

/** Comma-separated `name=value`, values in quotes or brackets of any depth; the last one of a name holds. */
function settingsOf(config: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const setting of splitOutside(config)) {
    const [, name, value] = /^\s*"?([^"=:]*?)"?\s*(?:[=:]\s*(.*?)\s*)?$/s.exec(setting) ?? [];
    if (name === undefined || name === '') continue;
    settings.set(name, unquoted(value ?? 'true'));
  }
  return settings;
}

/** The pieces between commas that stand in no brackets and no quotes. @throws CommandError BadValue for unbalanced ones */
function splitOutside(config: string): string[] {
  const pieces: string[] = [];
  const open: string[] = [];
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at < config.length; at += 1) {
    const character = config[at];
    if (character === '"') isQuoted = !isQuoted;
    if (isQuoted) continue;
    if (character === '(' || character === '[' || character === '{') open.push(character);
    if (character === ')' || character === ']' || character === '}') {
      if (open.pop() === undefined) throw invalid(`Unbalanced brackets: ${config}`);
    }
    if (character !== ',' || open.length > 0) continue;
    pieces.push(config.slice(start, at));
    start = at + 1;
  }
  if (isQuoted) throw invalid(`Unbalanced quotes: ${config}`);
  if (open.length > 0) throw invalid(`Unbalanced brackets: ${config}`);
  pieces.push(config.slice(start));
  return pieces;
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value;
}

/** WiredTiger's EINVAL, as MongoDB shows it. */
function invalid(message: string): CommandError {
  return new CommandError('BadValue', `22: Invalid argument. ${message}.`);
}

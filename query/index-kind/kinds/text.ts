/**
 * Text indexes: the terms of strings with their scores, other fields in front of and behind them. They are used by $text alone.
 * Source: MongoDB's manual, "Text Indexes on Self-Managed Deployments".
 */
import {
  BsonType,
  DocumentBuilder,
  documentValue,
  fieldsOf,
  int32Value,
  type RawValue,
  stringValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import type { IndexDescription, KeyGenerator } from '../../../storage/index.ts';
import { findLanguage } from '../../text/language.ts';
import { textIndexOf } from '../../text/text-index.ts';
import { textKeysOf } from '../../text/text-keys.ts';
import type { IndexKind, IndexRequest } from '../index-kind.ts';
import { topLevelFields } from '../top-level-fields.ts';

const TEXT_KIND = 'text';
const VERSION = 3;
/** Cut into words in 5 to 10 ms. */
const LONG_TEXT_BYTES = 256 * 1024;
/** Scores add up: a weight is far from the largest of them. */
const MAX_WEIGHT = 100_000;

export const text: IndexKind = {
  name: TEXT_KIND,

  complete({ keyPattern, options }: IndexRequest): IndexRequest {
    checkOrder(keyPattern);
    const { pattern, fields } = storedPattern(keyPattern);
    const completed = new Map(options);
    for (const name of TEXT_OPTIONS) completed.delete(name);
    completed.set('weights', weightsOf(fields, options.get('weights')));
    completed.set('default_language', languageOf(options.get('default_language')));
    completed.set('language_override', overrideOf(options.get('language_override')));
    checkVersion(options.get('textIndexVersion'));
    completed.set('textIndexVersion', int32Value(VERSION));
    return { keyPattern: pattern, options: completed };
  },

  keyGenerator: (index) => textKeyGenerator(index),
  takesLong: (_, document) => document.length >= LONG_TEXT_BYTES,
  fieldsOfKeys: ({ spec }) => {
    const { wildcard, weights, before, after, languageOverride } = textIndexOf(spec);
    if (wildcard) return undefined;
    const ordinary = [...before, ...after].map(({ path }) => path);
    return topLevelFields([...weights.keys(), ...ordinary, languageOverride]);
  },

  scanShapes: () => [],
};

const TEXT_OPTIONS = ['weights', 'default_language', 'language_override', 'textIndexVersion'];

function textKeyGenerator({ spec, fields }: IndexDescription): KeyGenerator {
  const index = textIndexOf(spec);
  const multikeyPaths = fields.map(({ kind }) => (kind === TEXT_KIND ? [0] : []));
  return {
    keysOf: (document) => {
      const keys = textKeysOf(document, index);
      return { keys, multikeyPaths: keys.length > 1 ? multikeyPaths : undefined };
    },
  };
}

/** Ordinary fields, then text fields, then ordinary fields. */
function checkOrder(keyPattern: Buffer): void {
  const fields = [...fieldsOf(keyPattern)];
  const isText = fields.map(([, value]) => value.type === BsonType.string);
  const hasStored = fields.some(([name]) => name === '_fts');
  let isBehind = false;
  for (const [index, [name, value]] of fields.entries()) {
    if (name === '_fts') continue;
    if (name === '_ftsx') {
      uassert(value.asNumber() === 1, 17272, 'expecting _ftsx:1');
      uassert(fields[index - 1]?.[0] === '_fts', 17274, 'expected _ftsx after _fts');
      continue;
    }
    uassert(!(hasStored && isText[index]), 17274, 'expected _ftsx after _fts');
    if (isText[index]) {
      uassert(!isBehind, 17389, "'text' fields in index must all be adjacent");
      continue;
    }
    isBehind ||= isText.slice(0, index).includes(true);
    const direction = Math.trunc(value.asNumber());
    uassert(
      direction === 1 || direction === -1,
      17273,
      'expected value 1 or -1 for non-text key in compound index',
    );
  }
  const lastName = fields.at(-1)?.[0];
  uassert(lastName !== '_fts', 17288, 'expected _ftsx after _fts');
}

/** All text fields stand in the key as one: the term, and its score. */
function storedPattern(keyPattern: Buffer): {
  readonly pattern: Buffer;
  readonly fields: readonly string[];
} {
  const out = new DocumentBuilder();
  const fields: string[] = [];
  let hasTerm = false;
  for (const [name, value] of fieldsOf(keyPattern)) {
    if (name === '_ftsx') continue;
    if (value.type !== BsonType.string) {
      out.append(name, value);
      continue;
    }
    if (name !== '_fts') fields.push(name);
    if (!hasTerm) out.appendString('_fts', TEXT_KIND).appendInt32('_ftsx', 1);
    hasTerm = true;
  }
  return { pattern: out.finish(), fields };
}

/** In the order of their paths, as MongoDB stores them. */
function weightsOf(fields: readonly string[], given: RawValue | undefined): RawValue {
  const weights = new Map(fields.map((path) => [path, 1]));
  if (given?.type === BsonType.string) {
    uassert(given.asString() === '$**', 17284, "text index option 'weights' must be an object");
    weights.set('$**', 1);
  } else if (given !== undefined) {
    uassert(given.type === BsonType.object, 17284, "text index option 'weights' must be an object");
    for (const [path, weight] of fieldsOf(given.asDocument())) {
      uassert(weight.isNumber, 17283, 'weight for text index needs numeric type');
      weights.set(path, Math.trunc(weight.asNumber()));
    }
  }
  const out = new DocumentBuilder();
  for (const path of [...weights.keys()].sort(byBytes)) {
    const weight = weights.get(path) ?? 0;
    uassert(weight > 0 && weight < MAX_WEIGHT, 16674, 'score for word too high');
    if (path !== '$**') checkPath(path);
    out.appendInt32(path, weight);
  }
  return documentValue(out.finish());
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function checkPath(path: string): void {
  uassert(path !== '', 17294, 'weight cannot be on an empty field');
  for (const part of path.split('.')) {
    uassert(part !== '', 17291, 'weight cannot have empty path component');
    uassert(!part.startsWith('$'), 17292, 'weight cannot have path component with $ prefix');
  }
}

function languageOf(given: RawValue | undefined): RawValue {
  if (given === undefined) return stringValue('english');
  uassert(given.type === BsonType.string, 17263, 'default_language needs a string type');
  uassert(findLanguage(given.asString()) !== undefined, 17264, 'default_language is not valid');
  return given;
}

function overrideOf(given: RawValue | undefined): RawValue {
  if (given === undefined) return stringValue('language');
  const name = given.type === BsonType.string ? given.asString() : '';
  uassert(
    name !== '' && !name.startsWith('$') && !name.includes('.'),
    17136,
    'language_override is not valid',
  );
  return given;
}

/** Versions 1 and 2 cut words by older rules; this server knows those of version 3 alone. */
function checkVersion(given: RawValue | undefined): void {
  if (given === undefined) return;
  uassert(given.isNumber, 17293, "text index option 'textIndexVersion' must be a number");
  uassert(given.asNumber() === VERSION, 16730, `bad textIndexVersion: ${given.asNumber()}`);
}

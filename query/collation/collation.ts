/**
 * Collations: MongoDB's options on top of Intl.Collator (ICU, as in MongoDB).
 *
 * Owns: parsing and checking of a collation document, and its normal form with all defaults filled in.
 * Promises: equal options give collators whose `spec` is byte-equal, so that an index's collation can be compared.
 * Never: gives the simple collation an object: simple means no collator.
 * Source: MongoDB's manual, "Collation".
 */
import {
  BsonType,
  type Collator,
  DocumentBuilder,
  fieldsOf,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { collationKey, type KeyLevels } from './collation-key.ts';
import { CollationWeights } from './collation-weights.ts';

interface CollationOptions {
  locale: string;
  caseLevel: boolean;
  caseFirst: 'upper' | 'lower' | 'off';
  strength: number;
  numericOrdering: boolean;
  alternate: 'non-ignorable' | 'shifted';
  maxVariable: 'punct' | 'space';
  normalization: boolean;
  backwards: boolean;
}

/** A collator that knows what it was made from. */
export interface NamedCollator extends Collator {
  /** The options with all defaults, as listIndexes shows them, raw BSON. */
  readonly spec: Buffer;
}

/**
 * @param collation the client's document, such as {locale: 'de', strength: 2}
 * @returns undefined for the simple collation ({locale: 'simple'} or an empty document)
 * @throws CommandError BadValue (unknown locale, option out of range), IDLUnknownField, TypeMismatch
 */
export function compileCollation(collation: Buffer): NamedCollator | undefined {
  const options = parseOptions(collation);
  if (options === undefined) return undefined;
  const spec = specOf(options);
  const cached = COLLATORS.get(spec.toString('latin1'));
  if (cached !== undefined) return cached;
  const made = new IntlCollator(options, spec);
  COLLATORS.set(spec.toString('latin1'), made);
  return made;
}

/** Collators are few, and building one costs about 50 µs. */
const COLLATORS = new Map<string, NamedCollator>();

/** The options that a collator was compiled from; undefined for a collator from elsewhere. */
export function collationSpecOf(collator: Collator | undefined): Buffer | undefined {
  return collator instanceof IntlCollator ? collator.spec : undefined;
}

class IntlCollator implements NamedCollator {
  readonly spec: Buffer;
  private readonly weights: CollationWeights;
  private readonly levels: KeyLevels;
  /** The last text that was compared: sorting and matching ask for one text again and again. */
  private lastText = '';
  private lastKey: string | undefined;

  constructor(options: CollationOptions, spec: Buffer) {
    this.spec = spec;
    this.weights = weightsOf(options);
    this.levels = levelsOf(options);
  }

  /** By keys, so that an index orders as a sort in memory does. */
  compare(a: string, b: string): number {
    if (a === b) return 0;
    const right = this.rememberedKey(b);
    const left = this.key(a);
    return left < right ? -1 : left > right ? 1 : 0;
  }

  key(text: string): string {
    return collationKey(text, this.weights, this.levels);
  }

  private rememberedKey(text: string): string {
    if (this.lastKey === undefined || this.lastText !== text) {
      this.lastText = text;
      this.lastKey = this.key(text);
    }
    return this.lastKey;
  }
}

/** Weights by what Intl.Collator is given: collations differ more in the levels that they compare. */
const WEIGHTS = new Map<string, CollationWeights>();

function weightsOf(options: CollationOptions): CollationWeights {
  const locale = languageTag(options.locale);
  const caseFirst = options.caseFirst === 'off' ? 'false' : options.caseFirst;
  const forms = options.strength < 3 ? 'case' : 'variant';
  const name = `${locale} ${caseFirst} ${forms}`;
  let weights = WEIGHTS.get(name);
  if (weights === undefined) {
    const collator = (sensitivity: 'base' | 'accent' | 'case' | 'variant'): Intl.Collator =>
      new Intl.Collator(locale, {
        sensitivity,
        caseFirst,
        numeric: false,
        ignorePunctuation: false,
      });
    weights = new CollationWeights(
      {
        letters: collator('base'),
        accents: collator('accent'),
        forms: collator(forms),
        order: collator('variant'),
      },
      /^(zh|ja|ko|yue)(-|$)/.test(locale),
    );
    WEIGHTS.set(name, weights);
  }
  return weights;
}

function levelsOf(options: CollationOptions): KeyLevels {
  return {
    accents: options.strength >= 2,
    forms: options.strength >= 3 || options.caseLevel,
    backwards: options.backwards,
    numeric: options.numericOrdering,
    ignored: ignoredCharacters(options),
    ignoredText: options.strength >= 4,
    identical: options.strength === 5,
  };
}

/** What alternate: 'shifted' leaves out: punctuation and spaces, or spaces alone. Intl knows only the former. */
function ignoredCharacters({ alternate, maxVariable }: CollationOptions): RegExp | undefined {
  if (alternate !== 'shifted') return undefined;
  return maxVariable === 'space' ? /[\p{Z}\s]+/gu : /[\p{P}\p{Z}\s]+/gu;
}

/** ICU's long names of a language's other orders, where BCP 47 shortens them. */
const ORDER_NAMES: ReadonlyMap<string, string> = new Map([
  ['dictionary', 'dict'],
  ['gb2312han', 'gb2312'],
  ['phonebook', 'phonebk'],
  ['traditional', 'trad'],
]);

/** ICU writes a locale as de_AT@collation=phonebook, Intl as de-AT-u-co-phonebk. */
function languageTag(locale: string): string {
  const [name, order] = locale.split('@collation=');
  const tag = name.replaceAll('_', '-');
  return order === undefined ? tag : `${tag}-u-co-${ORDER_NAMES.get(order) ?? order}`;
}

function parseOptions(collation: Buffer): CollationOptions | undefined {
  const given = new Map(fieldsOf(collation));
  if (given.size === 0) return undefined;
  const locale = given.get('locale');
  uassert(
    locale !== undefined,
    40414,
    "BSON field 'collation.locale' is missing but a required field",
  );
  const name = stringOption('locale', locale);
  for (const key of given.keys()) {
    if (!KNOWN_OPTIONS.has(key)) {
      throw new CommandError(
        'IDLUnknownField',
        `BSON field 'collation.${key}' is an unknown field.`,
      );
    }
  }
  if (name === 'simple') {
    uassert(given.size === 1, 'BadValue', "If 'locale' is 'simple', no other fields may be given");
    return undefined;
  }
  checkLocale(name);
  return {
    locale: name,
    caseLevel: booleanOption('caseLevel', given.get('caseLevel'), false),
    caseFirst: caseFirstOption(given.get('caseFirst'), name),
    strength: strengthOption(given.get('strength')),
    numericOrdering: booleanOption('numericOrdering', given.get('numericOrdering'), false),
    alternate: choice('alternate', given.get('alternate'), ['non-ignorable', 'shifted']),
    maxVariable: choice('maxVariable', given.get('maxVariable'), ['punct', 'space']),
    normalization: booleanOption('normalization', given.get('normalization'), false),
    backwards: booleanOption('backwards', given.get('backwards'), name === 'fr_CA'),
  };
}

const KNOWN_OPTIONS: ReadonlySet<string> = new Set([
  'locale',
  'caseLevel',
  'caseFirst',
  'strength',
  'numericOrdering',
  'alternate',
  'maxVariable',
  'normalization',
  'backwards',
  'version',
]);

function checkLocale(name: string): void {
  let known: boolean;
  try {
    known = Intl.Collator.supportedLocalesOf(languageTag(name)).length > 0;
  } catch {
    known = false; // A RangeError: not even the syntax of a locale.
  }
  if (known && !name.includes('-')) return;
  throw new CommandError('BadValue', `Field 'locale' is invalid in: { locale: "${name}" }`);
}

function stringOption(name: string, value: RawValue): string {
  if (value.type === BsonType.string) return value.asString();
  throw wrongType(name, value, 'string');
}

function booleanOption(name: string, value: RawValue | undefined, absent: boolean): boolean {
  if (value === undefined) return absent;
  if (value.type === BsonType.bool) return value.asBoolean();
  throw wrongType(name, value, 'bool');
}

/** Some locales, Danish among them, have upper case first by themselves. */
function caseFirstOption(
  value: RawValue | undefined,
  locale: string,
): CollationOptions['caseFirst'] {
  if (value !== undefined) return choice('caseFirst', value, ['off', 'upper', 'lower']);
  const { caseFirst } = new Intl.Collator(languageTag(locale)).resolvedOptions();
  return caseFirst === 'upper' || caseFirst === 'lower' ? caseFirst : 'off';
}

function choice<Name extends string>(
  option: string,
  value: RawValue | undefined,
  names: readonly [Name, ...Name[]],
): Name {
  if (value === undefined) return names[0];
  const given = stringOption(option, value);
  const found = names.find((name) => name === given);
  if (found !== undefined) return found;
  throw new CommandError(
    'BadValue',
    `Enumeration value '${given}' for field 'collation.${option}' is not a valid value.`,
  );
}

function strengthOption(value: RawValue | undefined): number {
  if (value === undefined) return 3;
  if (!value.isNumber) throw wrongType('strength', value, 'int');
  const strength = value.asNumber();
  uassert(
    Number.isInteger(strength) && strength >= 1 && strength <= 5,
    'BadValue',
    "Enumeration value for field 'collation.strength' is not a valid value.",
  );
  return strength;
}

function wrongType(name: string, value: RawValue, expected: string): CommandError {
  return new CommandError(
    'TypeMismatch',
    `BSON field 'collation.${name}' is the wrong type '${value.typeName}', expected type '${expected}'`,
  );
}

/** ICU's version as MongoDB 8.0 names it in a stored collation. */
const COLLATION_VERSION = '57.1';

function specOf(options: CollationOptions): Buffer {
  const spec = new DocumentBuilder();
  spec.appendString('locale', options.locale);
  spec.appendBoolean('caseLevel', options.caseLevel);
  spec.appendString('caseFirst', options.caseFirst);
  spec.appendInt32('strength', options.strength);
  spec.appendBoolean('numericOrdering', options.numericOrdering);
  spec.appendString('alternate', options.alternate);
  spec.appendString('maxVariable', options.maxVariable);
  spec.appendBoolean('normalization', options.normalization);
  spec.appendBoolean('backwards', options.backwards);
  spec.appendString('version', COLLATION_VERSION);
  return spec.finish();
}

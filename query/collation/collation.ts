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
  private readonly intl: Intl.Collator;
  private readonly options: CollationOptions;
  private readonly ignored: RegExp | undefined;

  constructor(options: CollationOptions, spec: Buffer) {
    this.options = options;
    this.spec = spec;
    this.ignored = ignoredCharacters(options);
    this.intl = new Intl.Collator(intlLocale(options), {
      sensitivity: sensitivityOf(options),
      numeric: options.numericOrdering,
      caseFirst: options.caseFirst === 'off' ? 'false' : options.caseFirst,
      ignorePunctuation: false,
    });
  }

  compare(a: string, b: string): number {
    const { ignored } = this;
    if (ignored === undefined) return this.intl.compare(a, b);
    return this.intl.compare(a.replace(ignored, ''), b.replace(ignored, ''));
  }

  /** Strings with equal keys compare equal; keys do not sort (Intl has no sort keys). */
  key(text: string): string {
    return foldedKey(text, this.options);
  }
}

/** What alternate: 'shifted' leaves out: punctuation and spaces, or spaces alone. Intl knows only the former. */
function ignoredCharacters({ alternate, maxVariable }: CollationOptions): RegExp | undefined {
  if (alternate !== 'shifted') return undefined;
  return maxVariable === 'space' ? /[\p{Z}\s]+/gu : /[\p{P}\p{Z}\s]+/gu;
}

/** Intl counts accents from the end of a word for Canadian French only: the locale stands for the option. */
function intlLocale({ locale, backwards }: CollationOptions): string {
  const tag = languageTag(locale);
  return backwards && /^(fr|en|root)(-|$)/.test(tag) ? 'fr-CA' : tag;
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

function sensitivityOf(options: CollationOptions): 'base' | 'accent' | 'case' | 'variant' {
  if (options.strength === 1) return options.caseLevel ? 'case' : 'base';
  if (options.strength === 2) return options.caseLevel ? 'variant' : 'accent';
  return 'variant';
}

/** Folds away what the collation ignores: case, accents, digits' leading zeros, punctuation. */
function foldedKey(text: string, options: CollationOptions): string {
  let key = text.normalize(options.strength >= 3 ? 'NFD' : 'NFKD');
  if (options.strength === 1) key = key.replace(/\p{Mn}/gu, '');
  if (options.strength <= 2 && !options.caseLevel) {
    const tag = languageTag(options.locale);
    key = key.toLocaleUpperCase(tag).toLocaleLowerCase(tag);
  }
  if (options.numericOrdering) key = key.replace(/0+(?=\d)/g, '');
  const ignored = ignoredCharacters(options);
  if (ignored !== undefined) key = key.replace(ignored, '');
  return key;
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
    caseFirst: choice('caseFirst', given.get('caseFirst'), ['off', 'upper', 'lower']),
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

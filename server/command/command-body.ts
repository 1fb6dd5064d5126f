/**
 * Typed access to the arguments of one command, over its raw body.
 *
 * Owns: the command's own fields (generic arguments are taken out by the walk that makes it), and which of them were
 * asked for: what nobody asked for is an unknown field. Errors have MongoDB's codes and wording.
 * Promises: no copy of a value's bytes; `null` counts as absent, as in MongoDB's own parser.
 * Source: MongoDB's server documentation of its command parser (IDL): duplicate, unknown, missing and mistyped fields.
 */
import { CommandError } from '../../common/errors.ts';
import {
  BsonType,
  type BsonTypeCode,
  FieldCursor,
  setField,
  type RawValue,
} from '../../bson/index.ts';
import type { DocumentSequence } from '../../wire/index.ts';
import { namespaceOf } from '../catalog/namespace.ts';

const NUMBERS = "'[long, int, decimal, double]'";
const BOOLEANS_AND_NUMBERS = "'[bool, long, int, decimal, double]'";

/** So many fields are found fastest by looking at each. */
const FEW_FIELDS = 16;
const UUID_SUBTYPE = 4;
const UUID_BYTES = 16;

export class CommandBody {
  /** The command as it is defined; errors name fields as 'find.filter'. */
  readonly command: string;
  /** The whole body, generic arguments included. */
  readonly bytes: Buffer;
  /** Value of the first field, the one that names the command. */
  readonly target: RawValue;
  readonly sequences: readonly DocumentSequence[];
  private readonly generic: { readonly database: string };
  private readonly taken: Field[] = [];
  /** One bit per length of a name: most names that a command asks for are not there, and most not even their length. */
  private nameLengths = 0;
  /** The namespace that the command works on, once it has asked for its collection. */
  namespace: string | undefined;
  /** 16 bytes, from expectCollection. */
  expectedUuid: Buffer | undefined;
  private usedCount = 0;
  /** By name, once there are more than a few: a hostile body has a million. */
  private byName: Map<string, Field> | undefined;
  /** One bit per section that was asked for. */
  private sequencesUsed = 0;

  /** Made by dispatch: see parseRequest. */
  constructor(
    command: string,
    source: {
      readonly bytes: Buffer;
      readonly generic: { readonly database: string };
      readonly target: RawValue;
      readonly sequences: readonly DocumentSequence[];
    },
  ) {
    this.command = command;
    this.bytes = source.bytes;
    this.generic = source.generic;
    this.target = source.target;
    this.sequences = source.sequences;
  }

  get database(): string {
    return this.generic.database;
  }

  /** For the walk only: adds a field that is no generic argument. */
  addField(name: string, value: RawValue): void {
    if (this.field(name) !== undefined) throw this.duplicate(name);
    if (this.taken.length === FEW_FIELDS) {
      this.byName = new Map(this.taken.map((known) => [known.name, known]));
    }
    const field = { name, value, isUsed: false };
    this.byName?.set(name, field);
    this.taken.push(field);
    this.nameLengths |= 1 << name.length;
  }

  /** The same command with another generic argument at its end, for who sends it on: here it counts no more. */
  withGeneric(name: string, value: RawValue): CommandBody {
    const { command, generic, target, sequences } = this;
    const bytes = setField(this.bytes, name, value);
    const changed = new CommandBody(command, { bytes, generic, target, sequences });
    for (const field of this.taken) changed.addField(field.name, field.value);
    return changed;
  }

  /** The namespace "database.collection" that the command's first field names. */
  collection(): string {
    const target = this.target;
    if (target.type === BsonType.binData) {
      throw new CommandError(
        'BadValue',
        'Collection name must be provided. UUID is not valid in this context',
      );
    }
    if (target.type !== BsonType.string && target.type !== BsonType.symbol) {
      throw new CommandError('BadValue', `collection name has invalid type ${target.typeName}`);
    }
    this.namespace = namespaceOf(this.database, target.asString());
    return this.namespace;
  }

  /** A namespace from another field that holds a collection's name, such as getMore's `collection`. */
  collectionIn(name: string): string {
    this.namespace = namespaceOf(this.database, this.string(name));
    return this.namespace;
  }

  /** The argument collectionUUID: the command is for this collection, whatever stands under the name by now. */
  expectCollection(): void {
    const value = this.present('collectionUUID');
    if (value === undefined) return;
    this.expect('collectionUUID', value, BsonType.binData, 'binData');
    const { subtype, bytes } = value.asBinary();
    if (subtype !== UUID_SUBTYPE || bytes.length !== UUID_BYTES) {
      throw new CommandError(
        'InvalidUUID',
        'uuid must be a 16-byte binary field with UUID (4) subtype',
      );
    }
    this.expectedUuid = bytes;
  }

  has(name: string): boolean {
    return this.value(name) !== undefined;
  }

  /** Whether the client sent a field; the command must still ask for it. */
  contains(name: string): boolean {
    return this.field(name) !== undefined;
  }

  /** A field for who looks before the command does: it must still ask for it. */
  peek(name: string): RawValue | undefined {
    return this.field(name)?.value;
  }

  /** A field of any type, also null; undefined when it is absent. */
  value(name: string): RawValue | undefined {
    const field = this.field(name);
    if (field === undefined) return undefined;
    this.markUsed(field);
    return field.value;
  }

  document(name: string): Buffer;
  document<Fallback>(name: string, fallback: Fallback): Buffer | Fallback;
  document<Fallback>(name: string, ...fallback: [] | [Fallback]): Buffer | Fallback {
    const value = this.present(name);
    if (value === undefined) return this.fallback(name, fallback);
    this.expect(name, value, BsonType.object, 'object');
    return value.asDocument();
  }

  string(name: string): string;
  string<Fallback>(name: string, fallback: Fallback): string | Fallback;
  string<Fallback>(name: string, ...fallback: [] | [Fallback]): string | Fallback {
    const value = this.present(name);
    if (value === undefined) return this.fallback(name, fallback);
    this.expect(name, value, BsonType.string, 'string');
    return value.asString();
  }

  /** A boolean, strictly. */
  boolean(name: string): boolean;
  boolean<Fallback>(name: string, fallback: Fallback): boolean | Fallback;
  boolean<Fallback>(name: string, ...fallback: [] | [Fallback]): boolean | Fallback {
    const value = this.present(name);
    if (value === undefined) return this.fallback(name, fallback);
    this.expect(name, value, BsonType.bool, 'bool');
    return value.asBoolean();
  }

  /** A boolean, or a number of which 0 is false: what MongoDB calls safeBool. */
  safeBoolean<Fallback>(name: string, fallback: Fallback): boolean | Fallback {
    const value = this.present(name);
    if (value === undefined) return fallback;
    if (value.type === BsonType.bool) return value.asBoolean();
    if (value.isNumber) return value.asNumber() !== 0;
    throw this.wrongType(name, value, `expected types ${BOOLEANS_AND_NUMBERS}`);
  }

  /** Any number, fractions kept. */
  number(name: string): number;
  number<Fallback>(name: string, fallback: Fallback): number | Fallback;
  number<Fallback>(name: string, ...fallback: [] | [Fallback]): number | Fallback {
    const value = this.present(name);
    if (value === undefined) return this.fallback(name, fallback);
    if (!value.isNumber) throw this.wrongType(name, value, `expected types ${NUMBERS}`);
    return value.asNumber();
  }

  /** Any number, cut to an integer; what is beyond 2^53 comes as the nearest number. Checked against `least`. */
  integer<Fallback>(name: string, fallback: Fallback, least = -Infinity): number | Fallback {
    const value = this.present(name);
    if (value === undefined) return fallback;
    if (!value.isNumber) throw this.wrongType(name, value, `expected types ${NUMBERS}`);
    const number = toInteger(value.asNumber());
    if (number < least) throw this.outOfRange(name, `>= ${least}`, BigInt(number));
    return number;
  }

  /** limit, skip, batchSize: an integer of at least 0; undefined when absent. */
  limit(name: string): number | undefined {
    return this.integer(name, undefined, 0);
  }

  /** An int64 exactly, such as a cursor id. Only type long (MongoDB's `long`), or any number with `lenient`. */
  long(name: string): bigint;
  long<Fallback>(name: string, fallback: Fallback): bigint | Fallback;
  long<Fallback>(name: string, ...fallback: [] | [Fallback]): bigint | Fallback {
    const value = this.present(name);
    if (value === undefined) return this.fallback(name, fallback);
    this.expect(name, value, BsonType.int64, 'long');
    return value.asInt64();
  }

  /** The elements of an array, whatever their types. */
  array(name: string): RawValue[];
  array<Fallback>(name: string, fallback: Fallback): RawValue[] | Fallback;
  array<Fallback>(name: string, ...fallback: [] | [Fallback]): RawValue[] | Fallback {
    const value = this.present(name);
    if (value === undefined) return this.fallback(name, fallback);
    this.expect(name, value, BsonType.array, 'array');
    const elements: RawValue[] = [];
    const cursor = new FieldCursor(value.asDocument());
    while (cursor.next()) elements.push(cursor.value());
    return elements;
  }

  /** Documents from an array in the body or from the message's section of that name, as write commands take them. */
  documents(name: string): readonly Buffer[];
  documents<Fallback>(name: string, fallback: Fallback): readonly Buffer[] | Fallback;
  documents<Fallback>(name: string, ...fallback: [] | [Fallback]): readonly Buffer[] | Fallback {
    for (let index = 0; index < this.sequences.length; index += 1) {
      const { identifier, documents } = this.sequences[index];
      if (identifier !== name) continue;
      if (this.field(name) !== undefined) throw this.duplicate(name);
      this.sequencesUsed |= 1 << index;
      return documents;
    }
    const value = this.present(name);
    if (value === undefined) return this.fallback(name, fallback);
    this.expect(name, value, BsonType.array, 'array');
    return this.elementsOf(name, value);
  }

  /** Fields that MongoDB accepts and that change nothing here either. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.value(name);
  }

  /** Refuses, by name, arguments that are not built yet, unless they say what happens anyway (absent, null, false). */
  refuse(...names: readonly string[]): void {
    for (const name of names) {
      const value = this.value(name);
      if (value === undefined || value.isNullish) continue;
      if (value.type === BsonType.bool && !value.asBoolean()) continue;
      throw new CommandError(
        'NotImplemented',
        `BSON field '${this.command}.${name}' is not supported by this version of FlintDB`,
      );
    }
  }

  /** All fields that are no generic arguments, for commands whose fields are names chosen by the client. */
  fields(): readonly { readonly name: string; readonly value: RawValue }[] {
    for (const field of this.taken) this.markUsed(field);
    return this.taken;
  }

  /** After `parse`: throws for a field, or a section, that the command did not ask for. */
  rejectUnknownFields(): void {
    if (this.usedCount < this.taken.length) {
      throw this.unknown(this.taken.find(({ isUsed }) => !isUsed)?.name);
    }
    for (let index = 0; index < this.sequences.length; index += 1) {
      const isUsed = (this.sequencesUsed & (1 << index)) !== 0;
      if (!isUsed) throw this.unknown(this.sequences[index].identifier);
    }
  }

  private field(name: string): Field | undefined {
    if ((this.nameLengths & (1 << name.length)) === 0) return undefined;
    if (this.byName !== undefined) return this.byName.get(name);
    for (const field of this.taken) if (field.name === name) return field;
    return undefined;
  }

  /** Also for the walk, which sees the generic arguments. */
  duplicate(name: string): CommandError {
    return new CommandError(
      'IDLDuplicateField',
      `BSON field '${this.command}.${name}' is a duplicate field`,
    );
  }

  private unknown(name: string | undefined): CommandError {
    return new CommandError(
      'IDLUnknownField',
      `BSON field '${this.command}.${name ?? ''}' is an unknown field.`,
    );
  }

  /** For a command's own checks: MongoDB's words for a value outside its range. */
  outOfRange(name: string, bound: string, actual: number | bigint): CommandError {
    return new CommandError(
      51024,
      `BSON field '${name}' value must be ${bound}, actual value '${actual}'`,
    );
  }

  wrongType(name: string, value: RawValue, expected: string): CommandError {
    return new CommandError(
      'TypeMismatch',
      `BSON field '${this.command}.${name}' is the wrong type '${value.typeName}', ${expected}`,
    );
  }

  missing(name: string): CommandError {
    return new CommandError(
      'IDLFailedToParse',
      `BSON field '${this.command}.${name}' is missing but a required field`,
    );
  }

  /** The field unless it is absent or null. */
  private present(name: string): RawValue | undefined {
    const value = this.value(name);
    return value === undefined || value.isNullish ? undefined : value;
  }

  /** What a call without a fallback means: the field is required. */
  private fallback<Fallback>(name: string, fallback: [] | [Fallback]): Fallback {
    if (fallback.length === 0) throw this.missing(name);
    return fallback[0];
  }

  private expect(name: string, value: RawValue, type: BsonTypeCode, typeName: string): void {
    if (value.type !== type) throw this.wrongType(name, value, `expected type '${typeName}'`);
  }

  /** The documents of an array that was looked at already. */
  elementsOf(name: string, value: RawValue): Buffer[] {
    const documents: Buffer[] = [];
    const cursor = new FieldCursor(value.asDocument());
    while (cursor.next()) {
      const element = cursor.value();
      if (element.type !== BsonType.object) {
        throw this.wrongType(`${name}.${documents.length}`, element, "expected type 'object'");
      }
      documents.push(element.asDocument());
    }
    return documents;
  }

  private markUsed(field: Field): void {
    if (field.isUsed) return;
    field.isUsed = true;
    this.usedCount += 1;
  }
}

interface Field {
  readonly name: string;
  readonly value: RawValue;
  /** The command asked for it. */
  isUsed: boolean;
}

const LEAST_LONG = -(2 ** 63);
/** The largest number below 2^63. */
const LARGEST_LONG = 2 ** 63 - 1024;

/** Cuts towards zero; NaN becomes 0 and what is beyond an int64 the nearest one, as MongoDB's safeNumberLong does. */
function toInteger(number: number): number {
  if (Number.isNaN(number)) return 0;
  return Math.min(LARGEST_LONG, Math.max(LEAST_LONG, Math.trunc(number)));
}

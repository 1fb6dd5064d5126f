/**
 * The edges of values at which operators go wrong, and tables of what an operator makes of them.
 *
 * A table holds one template of an operator and lines of inputs and results; which edges a line covers is derived from its
 * input, so that no line can claim what it does not have.
 */
import assert from 'node:assert/strict';
import { BSON } from 'mongodb';
import { CommandError } from '../../../common/errors.ts';

/** No value: as an input, a field that is not there; as a result, none. */
export const MISSING = Symbol('missing');

/** The refusal of an operation. */
export class Fails {
  readonly code: number;

  constructor(code: number) {
    this.code = code;
  }
}

export const fails = (code: number): Fails => new Fails(code);
export const double = (value: number): BSON.Double => new BSON.Double(value);
export const long = (value: string | number): BSON.Long => BSON.Long.fromString(String(value));
export const decimal = (text: string): BSON.Decimal128 => BSON.Decimal128.fromString(text);
export const date = (ms: number): Date => new Date(ms);

export const INT_MAX = 2147483647;
export const INT_MIN = -2147483648;
export const LONG_MAX = long('9223372036854775807');
export const LONG_MIN = long('-9223372036854775808');
export const NAN = double(Number.NaN);
export const INFINITE = double(Infinity);
export const MINUS_INFINITE = double(-Infinity);
export const MINUS_ZERO = double(-0);
export const DECIMAL_NAN = decimal('NaN');
export const DECIMAL_INFINITE = decimal('Infinity');

/** Numbers at the ends and beside the numbers. */
export const NUMBERS: readonly unknown[] = [
  INT_MAX,
  INT_MIN,
  LONG_MAX,
  LONG_MIN,
  NAN,
  INFINITE,
  MINUS_INFINITE,
  MINUS_ZERO,
  decimal('1.50'),
  DECIMAL_NAN,
  DECIMAL_INFINITE,
];

/** Arrays, one of them in another. */
export const ARRAYS: readonly unknown[] = [[], [1], [[1]]];

export const EDGES = [
  'null',
  'missing',
  'array',
  'nested array',
  'int32 bound',
  'int64 bound',
  'NaN',
  'infinity',
  'negative zero',
  'decimal128',
] as const;
export type Edge = (typeof EDGES)[number];

/** The edges that an input has. */
export function edgesOf(value: unknown): Edge[] {
  if (value === null) return ['null'];
  if (value === MISSING) return ['missing'];
  if (Array.isArray(value)) return [value.some(Array.isArray) ? 'nested array' : 'array'];
  return numericEdgesOf(value);
}

function numericEdgesOf(value: unknown): Edge[] {
  if (value === INT_MAX || value === INT_MIN) return ['int32 bound'];
  if (value instanceof BSON.Long) {
    return value.equals(LONG_MAX) || value.equals(LONG_MIN) ? ['int64 bound'] : [];
  }
  if (value instanceof BSON.Decimal128) return ['decimal128'];
  if (!(value instanceof BSON.Double)) return [];
  if (Number.isNaN(value.value)) return ['NaN'];
  if (Object.is(value.value, -0)) return ['negative zero'];
  return Number.isFinite(value.value) ? [] : ['infinity'];
}

/** What goes in, and what comes out. */
export interface Line {
  readonly input: unknown;
  readonly result: unknown;
}

export const on = (input: unknown, result: unknown): Line => ({ input, result });

/** One line for each input, all with the same result. */
export const each = (inputs: readonly unknown[], result: unknown): Line[] =>
  inputs.map((input) => on(input, result));

/** One line for each input, which comes out as it went in. */
export const same = (inputs: readonly unknown[]): Line[] => inputs.map((input) => on(input, input));

export interface Table {
  readonly operator: string;
  /** What is done to the inputs, for the name of the test. */
  readonly title: string;
  readonly lines: readonly Line[];
  /** Inputs are lists, one value for each document: their members have the edges. */
  readonly lists?: boolean;
  /** How results are written where they are more than one value. */
  readonly show?: (result: unknown) => string;
  /** The result in that notation; several where it is computed in several ways. */
  readonly run: (input: unknown) => readonly string[] | Promise<readonly string[]>;
}

/** The edges that a table covers. */
export function edgesOfTable({ lines, lists }: Table): Set<Edge> {
  const inputs = lines.map(({ input }) => input);
  return new Set((lists === true ? inputs.flat() : inputs).flatMap(edgesOf));
}

const KEEP_TYPES = { promoteValues: false, bsonRegExp: true } as const;

/** A value with its type, as text. */
export function shown(value: unknown): string {
  if (value === MISSING) return 'missing';
  if (value instanceof Fails) return `error ${value.code}`;
  const bytes = BSON.serialize({ v: value }, { ignoreUndefined: false });
  return shownField(Buffer.from(bytes));
}

/** The field `v` of a document, with its type, as text. */
export function shownField(document: Buffer): string {
  const found = BSON.deserialize(document, KEEP_TYPES);
  if (!('v' in found)) return 'missing';
  return BSON.EJSON.stringify({ v: found['v'] }, { relaxed: false }).slice(5, -1);
}

/** A document with types, as text. */
export function shownDocument(document: Buffer): string {
  return BSON.EJSON.stringify(BSON.deserialize(document, KEEP_TYPES), { relaxed: false });
}

/** What `run` answers, or the code of its refusal, as text. */
export function outcomeOf(run: () => string): string {
  try {
    return run();
  } catch (error) {
    return refusal(error);
  }
}

export async function outcomeOfAsync(run: () => Promise<string>): Promise<string> {
  try {
    return await run();
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): string {
  if (error instanceof CommandError) return `error ${error.code}`;
  throw error;
}

/** One test per table, which names all lines that are wrong. */
export function testTables(tables: readonly Table[]): void {
  for (const { operator, title, lines, run, show = shown } of tables) {
    it(`${operator}: ${title} over ${lines.length} inputs`, async () => {
      const wrong = new Set<string>();
      for (const { input, result } of lines) {
        const wanted = show(result);
        for (const outcome of await run(input)) {
          if (outcome !== wanted) wrong.add(`${shownInput(input)} gives ${outcome}, not ${wanted}`);
        }
      }
      assert.equal([...wrong].join('\n'), '');
    });
  }
}

function shownInput(input: unknown): string {
  if (!Array.isArray(input) || !input.includes(MISSING)) return shown(input);
  return `[${input.map(shown).join()}]`;
}

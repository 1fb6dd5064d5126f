/**
 * The text of decimal128 values: reading and printing, as plain parts that decimal.ts makes values of.
 *
 * Source: bsonspec's decimal128 page, "From String Representation" and "To String Representation".
 */

/** What a text says, before rounding into decimal128's range. */
export interface DecimalParts {
  readonly kind: 'finite' | 'infinity' | 'nan';
  readonly sign: 1 | -1;
  readonly coefficient: bigint;
  readonly exponent: number;
}

/** Longer texts are refused: reading digits costs more than linear time. */
const LONGEST_TEXT = 4096;

const NUMBER = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?$/i;
const SPECIAL = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i;

/** @returns undefined when `text` is not a number, an infinity or NaN. */
export function parseDecimalText(text: string): DecimalParts | undefined {
  if (text.length > LONGEST_TEXT) return undefined;
  const number = NUMBER.exec(text);
  if (number !== null) {
    const [, sign, whole = '', fraction = number[4] ?? '', , exponent = '0'] = number;
    return {
      kind: 'finite',
      sign: sign === '-' ? -1 : 1,
      coefficient: BigInt(whole + fraction),
      exponent: clampExponent(Number(exponent)) - fraction.length,
    };
  }
  const special = SPECIAL.exec(text);
  if (special === null) return undefined;
  const sign = special[1] === '-' ? -1 : 1;
  return {
    kind: special[2] === undefined ? 'nan' : 'infinity',
    sign,
    coefficient: 0n,
    exponent: 0,
  };
}

/** Far outside of decimal128 it no longer matters how far. */
function clampExponent(exponent: number): number {
  return Math.max(-100_000, Math.min(100_000, exponent));
}

/** Canonical text: plain up to six zeros after the point, else scientific with an E and a sign. */
export function formatDecimal(parts: DecimalParts): string {
  if (parts.kind === 'nan') return 'NaN';
  const sign = parts.sign < 0 ? '-' : '';
  if (parts.kind === 'infinity') return `${sign}Infinity`;
  const digits = parts.coefficient.toString();
  const adjusted = parts.exponent + digits.length - 1;
  if (parts.exponent > 0 || adjusted < -6) return sign + scientific(digits, adjusted);
  return sign + plain(digits, parts.exponent);
}

function scientific(digits: string, adjusted: number): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${digits[0]}${fraction}E${adjusted < 0 ? '' : '+'}${adjusted}`;
}

function plain(digits: string, exponent: number): string {
  if (exponent === 0) return digits;
  const padded = digits.padStart(1 - exponent, '0');
  return `${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

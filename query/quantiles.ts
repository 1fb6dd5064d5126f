/**
 * Quantiles of numbers, as $percentile and $median have them.
 *
 * Owns: nothing but the numbers of one group. They are kept whole: exact answers where MongoDB's t-digest approximates.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  doubleValue,
  fieldsOf,
  NULL,
  type RawValue,
} from '../bson/index.ts';
import { CommandError } from '../common/errors.ts';

export class Quantiles {
  private numbers: number[] = [];
  private isSorted = true;

  get heldBytes(): number {
    return this.numbers.length * 8;
  }

  /** What is no number is ignored, and so is NaN. */
  add(value: RawValue): void {
    if (!value.isNumber) return;
    const number = value.asNumber();
    if (Number.isNaN(number)) return;
    this.numbers.push(number);
    this.isSorted = false;
  }

  /** The number at or below which the share `p` of all lies; null without numbers. */
  at(p: number): RawValue {
    if (this.numbers.length === 0) return NULL;
    if (!this.isSorted) {
      this.numbers.sort((a, b) => a - b);
      this.isSorted = true;
    }
    const index = Math.max(0, Math.ceil(p * this.numbers.length) - 1);
    return doubleValue(this.numbers[index]);
  }

  allAt(shares: readonly number[]): RawValue {
    const values = new ArrayBuilder();
    for (const p of shares) values.push(this.at(p));
    return arrayValue(values.finish());
  }
}

/** `p` of $percentile: an array of numbers from 0 to 1. */
export function sharesFrom(value: RawValue | undefined): readonly number[] {
  if (value === undefined) {
    throw new CommandError(
      7750300,
      "The $percentile 'p' field must be an array of constant values",
    );
  }
  const shares =
    value.type === BsonType.array
      ? Array.from(fieldsOf(value.asDocument()), ([, item]) => item)
      : [];
  if (shares.length === 0) {
    throw new CommandError(
      7750301,
      "The $percentile 'p' field must be an array of numbers from [0.0, 1.0]",
    );
  }
  return shares.map((share) => {
    const p = share.asNumber();
    if (!share.isNumber) {
      throw new CommandError(
        7750302,
        `The $percentile 'p' field must be an array of numbers, but found: ${share.typeName}`,
      );
    }
    if (!(p >= 0 && p <= 1)) {
      throw new CommandError(
        7750303,
        `The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: ${p}`,
      );
    }
    return p;
  });
}

/** 'approximate' is the only method that MongoDB accepts. */
export function checkMethod(value: RawValue | undefined): void {
  if (value !== undefined && value.type !== BsonType.string) {
    throw new CommandError(
      'TypeMismatch',
      `BSON field '$percentile.method' is the wrong type '${value.typeName}', expected type 'string'`,
    );
  }
  if (value?.asString() === 'approximate') return;
  throw new CommandError(
    'BadValue',
    "Currently only 'approximate' can be used as percentile 'method'",
  );
}

/**
 * The series of preferred numbers to which $bucketAuto rounds its boundaries.
 *
 * Source: MongoDB's manual, "$bucketAuto", granularity; Renard numbers of ISO 3; E series of IEC 60063.
 */
import {
  BsonType,
  Decimal,
  decimalValue,
  doubleValue,
  int32Value,
  int64Value,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';

/** Rounds a boundary to the next number of a series, strictly above or below; zero stays zero. */
export interface GranularityRounder {
  roundUp(value: RawValue): RawValue;
  roundDown(value: RawValue): RawValue;
}

const SERIES: Readonly<Record<string, string>> = {
  R5: '10 16 25 40 63',
  R10: '100 125 160 200 250 315 400 500 630 800',
  R20: '100 112 125 140 160 180 200 224 250 280 315 355 400 450 500 560 630 710 800 900',
  R40: `100 106 112 118 125 132 140 150 160 170 180 190 200 212 224 236 250 265 280 300 315 355 375 400 425 450 475 500
    530 560 600 630 670 710 750 800 850 900 950`,
  R80: `103 109 115 122 128 136 145 155 165 175 185 195 206 218 230 243 258 272 290 307 325 345 365 387 412 437 462 487
    515 545 575 615 650 690 730 775 825 875 925 975`,
  '1-2-5': '10 20 50',
  E6: '10 15 22 33 47 68',
  E12: '10 12 15 18 22 27 33 39 47 56 68 82',
  E24: '10 11 12 13 15 16 18 20 22 24 27 30 33 36 39 43 47 51 56 62 68 75 82 91',
  E48: `100 105 110 115 121 127 133 140 147 154 162 169 178 187 196 205 215 226 237 249 261 274 287 301 316 332 348 365
    383 402 422 442 464 487 511 536 562 590 619 649 681 715 750 787 825 866 909 953`,
  E96: `100 102 105 107 110 113 115 118 121 124 127 130 133 137 140 143 147 150 154 158 162 165 169 174 178 182 187 191
    196 200 205 210 215 221 226 232 237 243 249 255 261 267 274 280 287 294 301 309 316 324 332 340 348 357 365 374 383
    392 402 412 422 432 442 453 464 475 487 499 511 523 536 549 562 576 590 604 619 634 649 665 681 698 715 732 750 768
    787 806 825 845 866 887 909 931 953 976`,
  E192: `100 101 102 104 105 106 107 109 110 111 113 114 115 117 118 120 121 123 124 126 127 129 130 132 133 135 137 138
    140 142 143 145 147 149 150 152 154 156 158 160 162 164 165 167 169 172 174 176 178 180 182 184 187 189 191 193 196
    198 200 203 205 208 210 213 215 218 221 223 226 229 232 234 237 240 243 246 249 252 255 258 261 264 267 271 274 277
    280 284 287 291 294 298 301 305 309 312 316 320 324 328 332 336 340 344 348 352 357 361 365 370 374 379 383 388 392
    397 402 407 412 417 422 427 432 437 442 448 453 459 464 470 475 481 487 493 499 505 511 517 523 530 536 542 549 556
    562 569 576 583 590 597 604 612 619 626 634 642 649 657 665 673 681 690 698 706 715 723 732 741 750 759 768 777 787
    796 806 816 825 835 845 856 866 876 887 898 909 920 931 942 953 965 976 988`,
};

const POWERS_OF_TWO = 'POWERSOF2';

/** @returns undefined for a name that MongoDB does not know either. */
export function granularityRounder(name: string): GranularityRounder | undefined {
  if (name === POWERS_OF_TWO) return new PowersOfTwo();
  const series = SERIES[name];
  return series === undefined ? undefined : new PreferredNumbers(series.split(/\s+/).map(Number));
}

/** Names of all series, for documentation and tests. */
export function granularityNames(): readonly string[] {
  return [...Object.keys(SERIES), POWERS_OF_TWO];
}

function checkRoundable(value: RawValue): void {
  uassert(
    value.isNumber,
    40262,
    `A granularity rounder can only round numeric values, but found type: ${value.typeName}`,
  );
  uassert(!Number.isNaN(value.asNumber()), 40263, 'A granularity rounder cannot round NaN');
  uassert(
    value.asNumber() >= 0,
    40268,
    'A granularity rounder can only round non-negative numbers',
  );
}

function isZero(value: RawValue): boolean {
  return value.type === BsonType.decimal128 ? value.asDecimal().isZero : value.asNumber() === 0;
}

/** The arithmetic that rounding needs, in doubles or in decimals. */
interface Arithmetic<Number_> {
  readonly of: (number: number) => Number_;
  /** number * 10^power */
  readonly scale: (number: Number_, power: number) => Number_;
  readonly compare: (a: Number_, b: Number_) => number;
  readonly valueOf: (number: Number_) => RawValue;
}

const DOUBLES: Arithmetic<number> = {
  of: (number) => number,
  // Step by step, as MongoDB does: its boundaries carry the rounding of each step.
  scale: (number, power) => {
    let multiplier = 1;
    for (let step = 0; step < Math.abs(power); step += 1) {
      multiplier = power > 0 ? multiplier * 10 : multiplier / 10;
    }
    return number * multiplier;
  },
  compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
  valueOf: doubleValue,
};

const DECIMALS: Arithmetic<Decimal> = {
  of: (number) => Decimal.fromBigInt(BigInt(number)),
  scale: (number, power) => Decimal.of(number.sign, number.coefficient, number.exponent + power),
  compare: (a, b) => a.compare(b),
  valueOf: decimalValue,
};

class PreferredNumbers implements GranularityRounder {
  private readonly series: readonly number[];

  constructor(series: readonly number[]) {
    this.series = series;
  }

  roundUp(value: RawValue): RawValue {
    return this.round(value, 1);
  }

  roundDown(value: RawValue): RawValue {
    return this.round(value, -1);
  }

  private round(value: RawValue, direction: 1 | -1): RawValue {
    checkRoundable(value);
    if (isZero(value) || value.asNumber() === Infinity) return value;
    return value.type === BsonType.decimal128
      ? this.nextIn(DECIMALS, value.asDecimal(), direction)
      : this.nextIn(DOUBLES, value.asNumber(), direction);
  }

  /** The nearest member of the series, times a power of ten, strictly above (1) or below (-1). */
  private nextIn<Number_>(
    arithmetic: Arithmetic<Number_>,
    number: Number_,
    direction: 1 | -1,
  ): RawValue {
    const { compare, scale } = arithmetic;
    const members = this.series.map((member) => arithmetic.of(member));
    const first = members[0]!;
    const last = members.at(-1)!;
    let power = 0;
    if (direction > 0) {
      while (compare(number, scale(last, power)) >= 0) power += 1;
      while (compare(number, scale(first, power)) < 0) {
        if (compare(number, scale(last, power - 1)) >= 0)
          return arithmetic.valueOf(scale(first, power));
        power -= 1;
      }
      const next = members.find((member) => compare(scale(member, power), number) > 0);
      return arithmetic.valueOf(scale(next ?? last, power));
    }
    while (compare(number, scale(first, power)) <= 0) power -= 1;
    while (compare(number, scale(last, power)) > 0) {
      if (compare(number, scale(first, power + 1)) <= 0)
        return arithmetic.valueOf(scale(last, power));
      power += 1;
    }
    const next = members.findLast((member) => compare(scale(member, power), number) < 0);
    return arithmetic.valueOf(scale(next ?? first, power));
  }
}

/** Powers are whole numbers of the smallest type that holds them; below one they are doubles, and of decimals decimals. */
class PowersOfTwo implements GranularityRounder {
  roundUp(value: RawValue): RawValue {
    return this.round(value, (exponent) => Math.floor(exponent) + 1);
  }

  roundDown(value: RawValue): RawValue {
    return this.round(value, (exponent) => Math.ceil(exponent) - 1);
  }

  private round(value: RawValue, next: (exponent: number) => number): RawValue {
    checkRoundable(value);
    if (isZero(value) || value.asNumber() === Infinity) return value;
    const exponent = next(log2(value));
    if (value.type === BsonType.decimal128) {
      const power = Decimal.fromBigInt(2n ** BigInt(Math.abs(exponent)));
      return decimalValue(exponent >= 0 ? power : Decimal.ONE.divide(power));
    }
    if (exponent < 0 || exponent > 62) return doubleValue(2 ** exponent);
    return exponent < 31 ? int32Value(2 ** exponent) : int64Value(2n ** BigInt(exponent));
  }
}

/** Of an int64 not by way of a double, which would round it up to a power of two. */
function log2(value: RawValue): number {
  if (value.type !== BsonType.int64) return Math.log2(value.asNumber());
  const bits = value.asInt64().toString(2);
  const whole = bits.length - 1;
  return bits.indexOf('1', 1) === -1 ? whole : whole + 0.5;
}

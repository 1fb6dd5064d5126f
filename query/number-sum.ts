/**
 * The sum of numbers of all types, as $sum and $avg have it.
 *
 * Promises: integers are summed exactly; doubles as the unevaluated sum of two doubles, so that the order of documents
 * hardly shows; the result's type is the widest that was met.
 */
import {
  BsonType,
  Decimal,
  decimalValue,
  DocumentBuilder,
  documentOf,
  documentValue,
  doubleValue,
  getField,
  int32Value,
  int64Value,
  type RawValue,
} from '../bson/index.ts';

export class NumberSum {
  count = 0;
  /** Integers below 2^53 in magnitude; what exceeds it moves to `large`. */
  private small = 0;
  private large = 0n;
  private readonly doubles = new DoubleDouble();
  private decimal = Decimal.ZERO;
  private hasLong = false;
  private hasDouble = false;
  private hasDecimal = false;

  /** Adds a number; everything else is ignored. */
  add(value: RawValue): void {
    switch (value.type) {
      case BsonType.int32:
        this.addInteger(value.asNumber());
        break;
      case BsonType.double:
        this.hasDouble = true;
        this.doubles.add(value.asNumber());
        break;
      case BsonType.int64:
        this.hasLong = true;
        this.large += value.asInt64();
        break;
      case BsonType.decimal128:
        this.hasDecimal = true;
        this.decimal = this.decimal.add(value.asDecimal());
        break;
      default:
        return;
    }
    this.count += 1;
  }

  private addInteger(number: number): void {
    this.small += number;
    if (Number.isSafeInteger(this.small)) return;
    this.large += BigInt(this.small - number) + BigInt(number);
    this.small = 0;
  }

  /** All that another sum needs to go on from here. */
  toState(): RawValue {
    const { sum, addend } = this.doubles.parts();
    const types =
      (this.hasLong ? TYPE_BIT.long : 0) |
      (this.hasDouble ? TYPE_BIT.double : 0) |
      (this.hasDecimal ? TYPE_BIT.decimal : 0);
    const state = new DocumentBuilder(128);
    state.appendInt64('n', BigInt(this.count)).appendInt32('types', types);
    state.appendString('integers', String(this.large + BigInt(this.small)));
    state.appendDouble('sum', sum).appendDouble('addend', addend);
    if (this.hasDecimal) state.appendDecimal('decimal', this.decimal);
    return documentValue(state.finish());
  }

  /** Adds what another sum has. @param state of toState() */
  addState(state: RawValue): void {
    const document = state.asDocument();
    const types = getField(document, 'types')?.asNumber() ?? 0;
    this.count += Number(getField(document, 'n')?.asInt64() ?? 0n);
    this.large += BigInt(getField(document, 'integers')?.asString() ?? '0');
    this.doubles.add(getField(document, 'sum')?.asNumber() ?? 0);
    this.doubles.add(getField(document, 'addend')?.asNumber() ?? 0);
    const decimal = getField(document, 'decimal');
    if (decimal !== undefined) this.decimal = this.decimal.add(decimal.asDecimal());
    this.hasLong ||= (types & TYPE_BIT.long) !== 0;
    this.hasDouble ||= (types & TYPE_BIT.double) !== 0;
    this.hasDecimal ||= (types & TYPE_BIT.decimal) !== 0;
  }

  sum(): RawValue {
    if (this.hasDecimal) return decimalValue(this.decimalTotal());
    if (this.hasDouble) return doubleValue(this.doubleTotal());
    const total = this.large + BigInt(this.small);
    if (!this.hasLong && BigInt.asIntN(32, total) === total) return int32Value(Number(total));
    if (BigInt.asIntN(64, total) === total) return int64Value(total);
    return doubleValue(Number(total));
  }

  /** undefined when nothing was added. */
  average(): RawValue | undefined {
    if (this.count === 0) return undefined;
    if (this.hasDecimal) {
      return decimalValue(this.decimalTotal().divide(Decimal.fromBigInt(BigInt(this.count))));
    }
    return doubleValue(this.doubleTotal() / this.count);
  }

  /** All but the decimals. */
  private total(): DoubleDouble {
    const total = this.doubles.copy();
    const integers = this.large + BigInt(this.small);
    const low = integers % LOW_PART;
    total.add(Number(low));
    total.add(Number(integers - low));
    return total;
  }

  private doubleTotal(): number {
    return this.total().value();
  }

  private decimalTotal(): Decimal {
    const { sum, addend } = this.total().parts();
    return this.decimal.add(exactDecimal(sum).add(exactDecimal(addend)));
  }
}

const LOW_PART = 1n << 32n;
const TYPE_BIT = { long: 1, double: 2, decimal: 4 } as const;

/** A sum of doubles to twice their precision: the nearest double, and what is left. */
class DoubleDouble {
  private sum = 0;
  private addend = 0;
  /** The plain sum, for infinities: compensation makes NaN of them. */
  private plain = 0;

  add(number: number): void {
    this.plain += number;
    const x = number + this.addend;
    const lowest = this.addend - (x - number);
    const sum = this.sum + x;
    const ofSum = sum - x;
    const rest = this.sum - ofSum + (x - (sum - ofSum));
    this.sum = sum;
    this.addend = lowest + rest;
  }

  copy(): DoubleDouble {
    const copy = new DoubleDouble();
    copy.sum = this.sum;
    copy.addend = this.addend;
    copy.plain = this.plain;
    return copy;
  }

  value(): number {
    return Number.isNaN(this.sum) ? this.plain : this.sum;
  }

  parts(): { readonly sum: number; readonly addend: number } {
    if (!Number.isFinite(this.sum)) return { sum: this.plain, addend: 0 };
    return { sum: this.sum, addend: this.addend };
  }
}

const DECIMAL_DIGITS = 34;

/** All digits of the double that a decimal has room for; an exact one has no zeros at the end of its fraction. */
function exactDecimal(number: number): Decimal {
  if (!Number.isFinite(number) || number === 0) return Decimal.fromNumber(number);
  const [digits, exponent] = number.toExponential(MOST_SHOWN_DIGITS).split('e');
  const isExact = /^0*$/.test(digits.replace(/[-.]/g, '').slice(DECIMAL_DIGITS));
  const shown = isExact
    ? digits.replace(/\.?0+$/, '')
    : number.toExponential(DECIMAL_DIGITS - 1).split('e')[0];
  const decimal = Decimal.fromString(`${shown}e${exponent}`);
  if (!isExact || decimal.exponent <= 0) return decimal;
  const whole = decimal.quantize(0);
  return whole.isNaN ? decimal : whole;
}

/** More digits than a decimal has: zeros behind its last tell that it is exact. */
const MOST_SHOWN_DIGITS = 99;

/** Mean and deviation in one pass (Welford). */
export class Deviation {
  private count = 0;
  private mean = 0;
  private squares = 0;

  add(value: RawValue): void {
    if (!value.isNumber) return;
    const number = value.asNumber();
    this.count += 1;
    const delta = number - this.mean;
    this.mean += delta / this.count;
    this.squares += delta * (number - this.mean);
  }

  /** All that another one needs to go on from here. */
  toState(): RawValue {
    const { count, mean, squares } = this;
    return documentValue(
      documentOf({ n: count, mean: doubleValue(mean), squares: doubleValue(squares) }),
    );
  }

  /** Adds the values of another one (Chan's formula). @param state of toState() */
  addState(state: RawValue): void {
    const document = state.asDocument();
    const count = getField(document, 'n')?.asNumber() ?? 0;
    if (count === 0) return;
    const total = this.count + count;
    const delta = (getField(document, 'mean')?.asNumber() ?? 0) - this.mean;
    this.squares += getField(document, 'squares')?.asNumber() ?? 0;
    this.squares += (delta * delta * this.count * count) / total;
    this.mean += (delta * count) / total;
    this.count = total;
  }

  /** undefined without values. */
  population(): RawValue | undefined {
    return this.count === 0 ? undefined : doubleValue(Math.sqrt(this.squares / this.count));
  }

  /** undefined with fewer than two values. */
  sample(): RawValue | undefined {
    return this.count < 2 ? undefined : doubleValue(Math.sqrt(this.squares / (this.count - 1)));
  }
}

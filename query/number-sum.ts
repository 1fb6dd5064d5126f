/**
 * The sum of numbers of all types, as $sum and $avg have it.
 *
 * Promises: integers are summed exactly; doubles with Neumaier's compensation, so that the order of documents hardly
 * shows; the result's type is the widest that was met.
 */
import {
  BsonType,
  Decimal,
  decimalValue,
  doubleValue,
  int32Value,
  int64Value,
  type RawValue,
} from '../bson/index.ts';

export class NumberSum {
  count = 0;
  /** Integers below 2^53 in magnitude; what exceeds it moves to `large`. */
  private small = 0;
  private large = 0n;
  private double = 0;
  private compensation = 0;
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
        this.addDouble(value.asNumber());
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

  private addDouble(number: number): void {
    const sum = this.double + number;
    if (Number.isFinite(sum)) {
      this.compensation +=
        Math.abs(this.double) >= Math.abs(number)
          ? this.double - sum + number
          : number - sum + this.double;
    }
    this.double = sum;
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

  private doubleTotal(): number {
    const compensated = Number.isFinite(this.double)
      ? this.double + this.compensation
      : this.double;
    return compensated + Number(this.large + BigInt(this.small));
  }

  private decimalTotal(): Decimal {
    const integers = Decimal.fromBigInt(this.large + BigInt(this.small));
    const doubles = this.hasDouble
      ? Decimal.fromNumber(this.double + this.compensation)
      : Decimal.ZERO;
    return this.decimal.add(integers).add(doubles);
  }
}

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

  /** undefined without values. */
  population(): RawValue | undefined {
    return this.count === 0 ? undefined : doubleValue(Math.sqrt(this.squares / this.count));
  }

  /** undefined with fewer than two values. */
  sample(): RawValue | undefined {
    return this.count < 2 ? undefined : doubleValue(Math.sqrt(this.squares / (this.count - 1)));
  }
}

/**
 * $min, $max, $first, $last, $push, $addToSet, $mergeObjects: values in, a value or collection out.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  canonicalKey,
  compareValues,
  DocumentBuilder,
  documentValue,
  FieldCursor,
  fieldsOf,
  inspect,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type { QueryContext } from '../../context.ts';
import type { Value } from '../../expression/definition.ts';
import { isNullish } from '../../expression/types.ts';
import { ownedOrMissing, ownedValue } from '../../owned.ts';
import type { AccumulatorDefinition } from '../definition.ts';
import { type AccumulatorState, simpleAccumulator } from '../simple.ts';

/** What a value costs besides its bytes, estimated. */
const VALUE_OVERHEAD_BYTES = 64;

function bytesOf(value: Value): number {
  return value === undefined ? 0 : value.end - value.start + VALUE_OVERHEAD_BYTES;
}

/** The least (sign 1) or greatest (sign -1) value that is not null. */
function extreme(sign: 1 | -1, context: QueryContext): AccumulatorState {
  let best: Value;
  return {
    add: (value) => {
      if (isNullish(value)) return;
      if (best === undefined || sign * compareValues(value, best, context.collator) < 0) {
        best = ownedValue(value);
      }
    },
    result: () => best,
  };
}

function first(): AccumulatorState {
  let has = false;
  let found: Value;
  return {
    add: (value) => {
      if (has) return;
      has = true;
      found = ownedOrMissing(value);
    },
    result: () => found,
  };
}

function last(): AccumulatorState {
  let found: Value;
  return {
    add: (value) => {
      found = ownedOrMissing(value);
    },
    result: () => found,
  };
}

/**
 * A growing array that may be asked for again after more values came (a window asks per document). The values are copied
 * in, so that the documents they come from can go.
 */
class GrowingArray {
  private readonly builder = new ArrayBuilder();
  private finished: RawValue | undefined;

  push(value: RawValue): void {
    if (this.finished !== undefined) this.reopen(this.finished);
    this.builder.push(value);
  }

  private reopen(finished: RawValue): void {
    this.finished = undefined;
    for (const [, element] of fieldsOf(finished.asDocument())) this.builder.push(element);
  }

  value(): RawValue {
    return (this.finished ??= arrayValue(this.builder.finish()));
  }
}

class Pushed implements AccumulatorState {
  heldBytes = 0;
  private readonly values = new GrowingArray();

  add(value: Value): void {
    if (value === undefined) return;
    this.values.push(value);
    this.heldBytes += bytesOf(value);
  }

  merge(array: Value): void {
    addElements(this, array);
  }

  result(): Value {
    return this.values.value();
  }
}

/** Adds each element of an array that another one gave. */
function addElements(state: AccumulatorState, array: Value): void {
  if (array?.type !== BsonType.array) return;
  for (const [, element] of fieldsOf(array.asDocument())) state.add(element);
}

class DistinctValues implements AccumulatorState {
  heldBytes = 0;
  private readonly seen = new Set<string>();
  private readonly values = new GrowingArray();
  private readonly context: QueryContext;

  constructor(context: QueryContext) {
    this.context = context;
  }

  add(value: Value): void {
    if (value === undefined) return;
    const key = canonicalKey(value, this.context.collator);
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.values.push(value);
    this.heldBytes += bytesOf(value) + key.length;
  }

  merge(array: Value): void {
    addElements(this, array);
  }

  result(): Value {
    return this.values.value();
  }
}

/** Fields of later documents replace those of earlier ones in place. */
export class MergedObjects implements AccumulatorState {
  private readonly fields = new Map<string, NonNullable<Value>>();
  heldBytes = 0;

  add(value: Value): void {
    if (isNullish(value)) return;
    if (value.type !== BsonType.object) {
      throw new CommandError(
        40400,
        `$mergeObjects requires object inputs, but input ${inspect(value)} is of type ${value.typeName}`,
      );
    }
    const cursor = new FieldCursor(value.asDocument());
    while (cursor.next()) {
      this.heldBytes += cursor.valueEnd - cursor.elementStart + VALUE_OVERHEAD_BYTES;
      this.fields.set(cursor.name, ownedValue(cursor.value()));
    }
  }

  result(): Value {
    const builder = new DocumentBuilder();
    for (const [name, value] of this.fields) builder.append(name, value);
    return documentValue(builder.finish());
  }
}

export const VALUES: readonly AccumulatorDefinition[] = [
  simpleAccumulator('$min', (context) => extreme(1, context)),
  simpleAccumulator('$max', (context) => extreme(-1, context)),
  { ...simpleAccumulator('$first', first), isOfOneDocument: true },
  { ...simpleAccumulator('$last', last), isOfOneDocument: true },
  simpleAccumulator('$push', () => new Pushed()),
  simpleAccumulator('$addToSet', (context) => new DistinctValues(context)),
  simpleAccumulator('$mergeObjects', () => new MergedObjects()),
];

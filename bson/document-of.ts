/**
 * Small documents of our own from plain values: replies, catalog entries, journal entries.
 */
import { DocumentBuilder } from './builder.ts';
import { RawValue } from './raw-value.ts';

/** What documentOf accepts: whole numbers become int32 or int64, others double; a Buffer is a document. */
export type PlainValue = RawValue | number | bigint | string | boolean | null | Buffer;

/** A document with these fields in this order; a field whose value is undefined is left out. */
export function documentOf(entries: Readonly<Record<string, PlainValue | undefined>>): Buffer {
  const builder = new DocumentBuilder(128);
  for (const [name, value] of Object.entries(entries)) {
    if (value !== undefined) appendPlain(builder, name, value);
  }
  return builder.finish();
}

/** Appends a plain value by documentOf's rules. */
export function appendPlain(builder: DocumentBuilder, name: string, value: PlainValue): void {
  if (value === null) builder.appendNull(name);
  else if (typeof value === 'string') builder.appendString(name, value);
  else if (typeof value === 'boolean') builder.appendBoolean(name, value);
  else if (typeof value === 'bigint') builder.appendInt64(name, value);
  else if (typeof value === 'number') appendNumber(builder, name, value);
  else if (value instanceof RawValue) builder.append(name, value);
  else builder.appendDocument(name, value);
}

function appendNumber(builder: DocumentBuilder, name: string, value: number): void {
  const whole = Number.isSafeInteger(value) && !Object.is(value, -0);
  if (whole) builder.appendInteger(name, value);
  else builder.appendDouble(name, value);
}

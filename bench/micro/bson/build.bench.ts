/**
 * What does it cost to build, copy and splice documents, and to compare values?
 * Estimate: a document of ten fields in 300-400 ns, a splice in two copies, a comparison of scalars in 5-10 ns.
 */
import {
  ArrayBuilder,
  DocumentBuilder,
  FieldCursor,
  compareDocuments,
  compareValues,
  doubleValue,
  forEachPathValue,
  getPath,
  int32Value,
  parsePath,
  setField,
  stringValue,
  withIdFirst,
} from '../../../bson/index.ts';
import { nsPerCall, report } from './measure.ts';
import { mixed, small, ycsb } from './samples.ts';

const builder = new DocumentBuilder();
report(
  'build six scalar fields',
  nsPerCall(() =>
    builder
      .appendInt32('_id', 1)
      .appendDouble('x', 1.5)
      .appendString('name', 'flintstone')
      .appendBoolean('on', true)
      .appendDate('when', 1_700_000_000_000)
      .appendNull('rest')
      .finish(),
  ),
);
const cursor = new FieldCursor();
report(
  'copy ycsb element by element',
  nsPerCall(() => {
    cursor.reset(ycsb);
    while (cursor.next()) builder.appendElementBytes(ycsb, cursor.elementStart, cursor.valueEnd);
    return builder.finish();
  }),
);
report(
  'copy ycsb by name and value',
  nsPerCall(() => {
    cursor.reset(ycsb);
    while (cursor.next()) builder.append(cursor.name, cursor.value());
    return builder.finish();
  }),
);
report(
  'array of ten int32 values',
  nsPerCall(() => {
    const array = new ArrayBuilder();
    for (let i = 0; i < 10; i += 1) array.push(int32Value(i));
    return array.finish();
  }),
);
const one = int32Value(1);
report(
  'setField ycsb field5 := 1',
  nsPerCall(() => setField(ycsb, 'field5', one)),
);
report(
  'withIdFirst, first already',
  nsPerCall(() => withIdFirst(ycsb)),
);

const left = [int32Value(5), doubleValue(5.5), stringValue('flintstone')];
const right = [int32Value(6), int32Value(5), stringValue('flintstones')];
report(
  'compare int32 with int32',
  nsPerCall(() => compareValues(left[0], right[0])),
);
report(
  'compare double with int32',
  nsPerCall(() => compareValues(left[1], right[1])),
);
report(
  'compare short strings',
  nsPerCall(() => compareValues(left[2], right[2])),
);
const twin = Buffer.from(mixed);
report(
  'compare equal mixed documents',
  nsPerCall(() => compareDocuments(mixed, twin)),
);

const deep = parsePath('address.geo.lat');
const sku = parsePath('orders.price');
const id = parsePath('_id');
const tags = parsePath('tags');
const never = (): boolean => false;
report(
  'getPath address.geo.lat',
  nsPerCall(() => getPath(mixed, deep)),
);
report(
  'matcher walk tags, 4 elements',
  nsPerCall(() => forEachPathValue(mixed, tags, never, { expandLeafArrays: true })),
  108,
);
report(
  'matcher walk orders.price, 6 objects',
  nsPerCall(() => forEachPathValue(mixed, sku, never, { expandLeafArrays: true })),
);
report(
  'matcher walk _id of small',
  nsPerCall(() => forEachPathValue(small, id, never, { expandLeafArrays: true })),
);

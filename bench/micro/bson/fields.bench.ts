/**
 * How long does it take to find one field, and to walk all of them?
 * Estimate: a type look-up and a name per element, 6-8 ns each: first 10-15 ns, last of eleven about 100 ns.
 */
import { FieldCursor, getField } from '../../../bson/index.ts';
import { nsPerCall, report } from './measure.ts';
import { mixed, small, unicode, wide, ycsb } from './samples.ts';

report(
  'getField small, first',
  nsPerCall(() => getField(small, '_id')),
  10,
);
report(
  'getField small, last',
  nsPerCall(() => getField(small, 'when')),
  40,
);
report(
  'getField small, missing',
  nsPerCall(() => getField(small, 'none')),
  44,
);
report(
  'getField ycsb, first',
  nsPerCall(() => getField(ycsb, '_id')),
  15,
);
report(
  'getField ycsb, middle',
  nsPerCall(() => getField(ycsb, 'field4')),
  80,
);
report(
  'getField ycsb, last',
  nsPerCall(() => getField(ycsb, 'field9')),
  120,
);
report(
  'getField mixed, last',
  nsPerCall(() => getField(mixed, 'note')),
  80,
);
report(
  'getField wide, last',
  nsPerCall(() => getField(wide, 'column_50')),
  560,
);
report(
  'getField unicode, last',
  nsPerCall(() => getField(unicode, 'поле19')),
);

const cursor = new FieldCursor();
function walk(document: Buffer): number {
  cursor.reset(document);
  let count = 0;
  while (cursor.next()) count += cursor.type;
  return count;
}
function walkNames(document: Buffer): number {
  cursor.reset(document);
  let count = 0;
  while (cursor.next()) count += cursor.name.length;
  return count;
}
function walkValues(document: Buffer): number {
  cursor.reset(document);
  let count = 0;
  while (cursor.next()) count += cursor.value().start;
  return count;
}
report(
  'cursor over ycsb (11 fields)',
  nsPerCall(() => walk(ycsb)),
  120,
);
report(
  'cursor with names over ycsb',
  nsPerCall(() => walkNames(ycsb)),
);
report(
  'cursor with values over ycsb',
  nsPerCall(() => walkValues(ycsb)),
);

/**
 * What does it cost to check a document from outside? Estimate: 0.1-0.3 us per KiB.
 */
import { validateDocument } from '../../../bson/index.ts';
import { nsPerCall, report } from './measure.ts';
import { mixed, small, unicode, wide, ycsb } from './samples.ts';

for (const [name, document] of Object.entries({ small, ycsb, mixed, wide, unicode })) {
  const ns = nsPerCall(() => validateDocument(document));
  report(
    `validate ${name} (${document.length} bytes)`,
    ns,
    Math.round((document.length / 1024) * 300),
  );
}

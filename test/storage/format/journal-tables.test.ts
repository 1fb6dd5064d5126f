import { BATCH_HEADER } from '../../../storage/format/journal-batch.ts';
import { SEGMENT_HEADER } from '../../../storage/format/journal-segment.ts';
import { RECORD_MAP_BLOCK, RECORD_MAP_ENTRY } from '../../../storage/format/record-map.ts';
import { STORE_IDENTITY } from '../../../storage/format/store-identity.ts';
import { assertTableFits, readFormatTable } from '../../support/format-tables.ts';

describe('layouts of journal and index store', () => {
  const layouts = [
    ['journal.md', 'Segment header', SEGMENT_HEADER],
    ['journal.md', 'Batch', BATCH_HEADER],
    ['lmdb.md', 'Identity', STORE_IDENTITY],
    ['lmdb.md', 'Record map', RECORD_MAP_BLOCK],
    ['lmdb.md', 'Record map entry', RECORD_MAP_ENTRY],
  ] as const;

  for (const [file, heading, layout] of layouts) {
    it(`stand in docs/format/${file} under ${heading} as in the code`, () => {
      assertTableFits(readFormatTable(file, heading), layout);
    });
  }
});

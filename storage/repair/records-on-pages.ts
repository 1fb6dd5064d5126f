/**
 * Names the records that lie on damaged pages, by a record map that can be read.
 */
import { catalogKey, decodeCatalogRecord } from '../catalog/catalog-record.ts';
import type { StoreLayout } from '../blocks/layout.ts';
import type { Ident } from '../contract.ts';
import {
  blockOfRecordMapKey,
  presentRecords,
  readRecordPlace,
  recordEntryOffset,
  RECORDS_PER_BLOCK,
} from '../format/record-map.ts';
import { treeEnd, treePrefix } from '../format/tree-key.ts';
import type { IndexSnapshot } from '../indexes/contract.ts';
import type { Finding } from './contract.ts';

/** Records named one by one. */
const MOST_NAMED = 100;

/** @returns the findings that have an offset, with namespaces and record ids; one per collection that a page has records of */
export function namedFindings(
  findings: readonly Finding[],
  snapshot: IndexSnapshot,
  collections: readonly Ident[],
  layout: StoreLayout,
): Finding[] {
  const named = new Map<Finding, Map<Ident, number[]>>();
  for (const collection of collections) {
    for (const { recordId, sector } of placesOf(snapshot, collection)) {
      const offset = sector * layout.sectorBytes;
      const finding = findings.find((each) => covers(each, offset));
      if (finding === undefined) continue;
      const records = named.get(finding) ?? new Map<Ident, number[]>();
      named.set(finding, records);
      const recordIds = records.get(collection) ?? [];
      if (recordIds.length < MOST_NAMED) recordIds.push(recordId);
      records.set(collection, recordIds);
    }
  }
  return findings.flatMap((finding) => {
    const records = named.get(finding);
    if (records === undefined) return [finding];
    return Array.from(records, ([collection, recordIds]) => ({
      ...finding,
      namespace: namespaceOf(snapshot, collection),
      recordIds,
    }));
  });
}

function covers({ offset, length = 1 }: Finding, at: number): boolean {
  return offset !== undefined && at >= offset && at < offset + length;
}

function* placesOf(
  snapshot: IndexSnapshot,
  collection: Ident,
): Iterable<{ readonly recordId: number; readonly sector: number }> {
  const cursor = snapshot.scan({ lower: treePrefix(collection), upper: treeEnd(collection) });
  try {
    while (cursor.next()) {
      const first = blockOfRecordMapKey(cursor.key) * RECORDS_PER_BLOCK;
      const block = cursor.value;
      const present = presentRecords(block);
      for (let slot = 0; slot < RECORDS_PER_BLOCK; slot += 1) {
        if ((present & (1 << slot)) === 0) continue;
        const { sector } = readRecordPlace(block, recordEntryOffset(present, slot));
        yield { recordId: first + slot, sector };
      }
    }
  } finally {
    cursor.close();
  }
}

function namespaceOf(snapshot: IndexSnapshot, collection: Ident): string {
  const key = catalogKey(collection);
  const record = snapshot.get(key);
  if (record === undefined) return `the collection with ident ${collection}`;
  return decodeCatalogRecord(key, record).description.namespace;
}

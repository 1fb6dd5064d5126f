/**
 * Collects what the pages of a checkpoint hold into a new record map, and counts again what lives where.
 *
 * Owns: the corrected manifest. The manifest's own count of what lives tells which documents to pass over: in an extent where nothing
 * lives all are older versions, whose tombstones may be gone.
 */
import type { StoreLayout } from '../blocks/layout.ts';
import { walkExtent, type PageVisitor, type PageWalkSource } from '../blocks/page-walk.ts';
import { MANIFEST_OWNER } from '../blocks/allocation-map.ts';
import { CATALOG_COLLECTION } from '../catalog/catalog-record.ts';
import type { Ident } from '../contract.ts';
import { EXTENT_STATE, type Manifest, type ManifestExtent } from '../format/manifest.ts';
import { PAGE_KIND, recordsOfPage, type PageHeader } from '../format/page.ts';
import type { RecordPlace } from '../format/record-map.ts';
import type { Finding, OnFinding, OnProgress } from './contract.ts';
import { findingOf } from './findings.ts';
import type { RecordMapRebuild } from './record-map-rebuild.ts';

export interface PageCollection {
  readonly pages: number;
  /** Extents with damage in them. */
  readonly damagedExtents: ReadonlySet<number>;
  /** What is damage where something that lives was not found. */
  readonly cutOff: readonly CutOffPage[];
}

/** What looks like the beginning of a dead page. */
export interface CutOffPage {
  readonly extent: number;
  /** What it is if it is none. */
  readonly finding: Finding;
}

type PageError = Parameters<PageVisitor['damaged']>[2];

/** Walks all extents in use and adds every version and tombstone of a collection that exists. */
export async function collectPages(
  source: PageWalkSource,
  manifest: Manifest,
  rebuild: RecordMapRebuild,
  report: { readonly onFinding: OnFinding; readonly onProgress: OnProgress },
): Promise<PageCollection> {
  const exists = new Set(manifest.collections.map(({ ident }) => ident));
  const damagedExtents = new Set<number>();
  const cutOff: CutOffPage[] = [];
  const { layout, queue } = source;
  const foundAt = (sector: number, sectorCount: number, error: PageError): Finding =>
    findingOf(error, {
      file: queue.device.name,
      offset: sector * layout.sectorBytes,
      length: sectorCount * layout.sectorBytes,
    });
  let pages = 0;
  for (const [index, extent] of manifest.extents.entries()) {
    report.onProgress({ step: 'pages', done: index, total: manifest.extents.length });
    // The checkpoint's own manifest was read, and older ones are of no use.
    if (extent.owner === MANIFEST_OWNER) continue;
    await walkExtent(source, index, {
      page(header, bytes) {
        pages += 1;
        if (header.kind !== PAGE_KIND.records || !exists.has(header.collection)) return;
        addRecords(layout, header, bytes, extent, rebuild);
      },
      damaged(sector, sectorCount, error) {
        damagedExtents.add(index);
        report.onFinding(foundAt(sector, sectorCount, error));
      },
      cutOff(sector, sectorCount, error) {
        cutOff.push({ extent: index, finding: foundAt(sector, sectorCount, error) });
      },
    });
    if (rebuild.isFull) await rebuild.flush();
  }
  await rebuild.flush();
  return { pages, damagedExtents, cutOff };
}

function addRecords(
  layout: StoreLayout,
  header: PageHeader,
  bytes: Buffer,
  extent: ManifestExtent,
  rebuild: RecordMapRebuild,
): void {
  const collection = header.collection as Ident;
  const { address: sector, generation, commitNumber } = header;
  const sectors = layout.sectorsFor(header.usedBytes);
  for (const [slot, { recordId, document }] of recordsOfPage(bytes, header).entries()) {
    if (document === undefined) rebuild.addTombstone(collection, recordId, generation);
    else if (extent.liveBytes > 0) {
      const place = { sector, sectors, slot, bytes: document.length, generation };
      rebuild.addDocument(collection, recordId, place, commitNumber);
    }
  }
}

/** Counts what lives, per extent and collection, into a manifest that agrees with the new record map. */
export class LiveCount {
  private readonly layout: StoreLayout;
  private readonly manifest: Manifest;
  private readonly extents: number[];
  private readonly collections = new Map<number, number>();

  constructor(layout: StoreLayout, manifest: Manifest) {
    this.layout = layout;
    this.manifest = manifest;
    this.extents = manifest.extents.map(() => 0);
  }

  add(collection: Ident, place: RecordPlace): void {
    this.layout.forEachLiveExtent(place, (extent, bytes) => {
      this.extents[extent] += bytes;
    });
    this.collections.set(collection, (this.collections.get(collection) ?? 0) + place.bytes);
  }

  /**
   * Extents in which more lives than the checkpoint counted: with the page that replaced or deleted it, an older version has come back.
   */
  get revived(): number[] {
    return this.manifest.extents.flatMap(({ liveBytes, owner }, index) =>
      owner !== MANIFEST_OWNER && this.extents[index] > liveBytes ? [index] : [],
    );
  }

  /** Whether something that the checkpoint counted in an extent was not found. */
  lacksAny(extent: number): boolean {
    return this.extents[extent] < this.manifest.extents[extent].liveBytes;
  }

  correctedManifest(damaged: ReadonlySet<number>): Manifest {
    return {
      ...this.manifest,
      extents: this.manifest.extents.map((extent, index) => ({
        ...extent,
        damaged: extent.damaged || damaged.has(index),
        liveBytes:
          extent.owner === MANIFEST_OWNER || extent.state !== EXTENT_STATE.used
            ? extent.liveBytes
            : this.extents[index],
      })),
      collections: this.manifest.collections.map((collection) => {
        const liveBytes = this.collections.get(collection.ident) ?? 0;
        // As much as its documents occupied on average.
        const part = collection.liveBytes === 0 ? 1 : collection.storedBytes / collection.liveBytes;
        return { ...collection, liveBytes, storedBytes: Math.round(liveBytes * part) };
      }),
    };
  }
}

/** The catalog's own collection first, then the others in order of ident. */
export function collectionsOf(manifest: Manifest): Ident[] {
  const idents = manifest.collections.map(({ ident }) => ident as Ident);
  return idents.sort((a, b) => rank(a) - rank(b));
}

function rank(ident: Ident): number {
  return ident === CATALOG_COLLECTION ? 0 : ident;
}

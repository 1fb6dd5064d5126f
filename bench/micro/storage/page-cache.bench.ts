/**
 * Question: what does a full scan do to the pages that everybody else reads, beside a plain LRU; and what does a look cost?
 *
 * A working set of 70 % of the cache, its pages drawn by Zipf's law, before, during and after a scan of ten caches' worth of pages. During
 * the scan one look at the working set comes for each two pages of the scan.
 * Estimate beforehand: LRU forgets the rarer half of the working set during the scan (a page comes back every hundred looks on
 * average, and two hundred pages of the scan come in between), S3-FIFO next to nothing. A look costs 50 ns.
 * Run: `npm run bench -- storage/page-cache`.
 */
import { CachedPage, PageCache } from '../../../storage/cache/page-cache.ts';
import { line, nanosecondsPerCall } from './measure.ts';

const CACHE_PAGES = 8192;
const WORKING_PAGES = Math.floor(CACHE_PAGES * 0.7);
const SCAN_PAGES = CACHE_PAGES * 10;
const LOOKS = 200_000;
const PAGE_BYTES = 32 * 1024;
/** One page's bytes for all: the policy does not look at them. */
const BYTES = Buffer.allocUnsafeSlow(PAGE_BYTES);
const FIRST_SCANNED = 1_000_000;

/** What the bench asks of a cache. */
interface Policy {
  /** Looks a page up, and brings it in when it is missing. @returns whether it was there */
  look(sector: number): boolean;
}

class S3Fifo implements Policy {
  private readonly cache = new PageCache(CACHE_PAGES * (PAGE_BYTES + 256));

  look(sector: number): boolean {
    if (this.cache.get(sector, 1) !== undefined) return true;
    const page = new CachedPage({ sector, generation: 1, recordCount: 1, bytes: BYTES });
    page.lend();
    this.cache.put(page);
    return false;
  }
}

/** The order of a Map is that of insertion: who was looked at is inserted again. */
class Lru implements Policy {
  private readonly pages = new Map<number, true>();

  look(sector: number): boolean {
    const isThere = this.pages.delete(sector);
    this.pages.set(sector, true);
    if (this.pages.size > CACHE_PAGES) {
      for (const oldest of this.pages.keys()) {
        this.pages.delete(oldest);
        break;
      }
    }
    return isThere;
  }
}

let state = 1;

function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

/** Zipf with exponent 0.8 over the working set, by its inverse integral. */
function drawPage(): number {
  const exponent = 0.2;
  return Math.floor(WORKING_PAGES * random() ** (1 / exponent));
}

function hitRate(policy: Policy, looks: number): number {
  let hits = 0;
  for (let look = 0; look < looks; look += 1) if (policy.look(drawPage())) hits += 1;
  return hits / looks;
}

function hitRateDuringScan(policy: Policy): number {
  let hits = 0;
  for (let page = 0; page < SCAN_PAGES; page += 1) {
    policy.look(FIRST_SCANNED + page);
    if (page % 2 === 0 && policy.look(drawPage())) hits += 1;
  }
  return hits / (SCAN_PAGES / 2);
}

for (const [name, policy] of [
  ['S3-FIFO', new S3Fifo()],
  ['LRU', new Lru()],
] as const) {
  hitRate(policy, LOOKS * 3);
  const before = hitRate(policy, LOOKS);
  const during = hitRateDuringScan(policy);
  const after = hitRate(policy, LOOKS / 40);
  const rates = [before, during, after].map((rate) => `${(rate * 100).toFixed(1)} %`);
  line(`${name}: hits in the working set before, during, after a scan`, rates.join(', '));
}
const warm = new S3Fifo();
for (let page = 0; page < WORKING_PAGES; page += 1) warm.look(page);
const lookNs = nanosecondsPerCall(2_000_000, (call) => void warm.look(call % WORKING_PAGES));
line('a look at a page that is there', `${lookNs.toFixed(0)} ns`);

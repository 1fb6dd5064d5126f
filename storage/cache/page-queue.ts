/**
 * Pages in the order in which they came, linked through the pages themselves: no object per place.
 */
import { invariant } from '../../common/assert.ts';

/** What a page has so that it can stand in a queue; the queue alone changes it. */
export interface QueuedPage<Page> {
  /** Where it stands; undefined outside. */
  queue: object | undefined;
  newer: Page | undefined;
  older: Page | undefined;
  /** The same for as long as it stands there. */
  readonly costBytes: number;
}

export class PageQueue<Page extends QueuedPage<Page>> {
  length = 0;
  /** What its pages cost. */
  bytes = 0;
  private first: Page | undefined;
  private last: Page | undefined;

  /** Who leaves next. */
  get oldest(): Page | undefined {
    return this.last;
  }

  push(page: Page): void {
    invariant(page.queue === undefined, 'page queue: the page stands in one already');
    page.queue = this;
    page.newer = undefined;
    page.older = this.first;
    if (this.first === undefined) this.last = page;
    else this.first.newer = page;
    this.first = page;
    this.length += 1;
    this.bytes += page.costBytes;
  }

  remove(page: Page): void {
    invariant(page.queue === this, 'page queue: the page stands elsewhere');
    const { newer, older } = page;
    if (newer === undefined) this.first = older;
    else newer.older = older;
    if (older === undefined) this.last = newer;
    else older.newer = newer;
    page.queue = undefined;
    page.newer = undefined;
    page.older = undefined;
    this.length -= 1;
    this.bytes -= page.costBytes;
  }
}

/**
 * A view whose documents in place do not last: when the next one is asked for, its bytes are overwritten at once. In a store they stay
 * for as long as nobody needs the memory, so that who keeps one wrongly would mostly get away with it.
 */
import type {
  MaybePromise,
  ReadView,
  RecordCursor,
  RecordId,
  ScanOptions,
  CollectionDescription,
} from '../../../storage/index.ts';

/** What a document is overwritten with: no length, type or name of a BSON document. */
const GONE = 0xee;

class VanishingCursor implements RecordCursor {
  private readonly cursor: RecordCursor;
  private readonly onGiven: () => void;
  private given: Buffer | undefined;

  constructor(cursor: RecordCursor, onGiven: () => void) {
    this.cursor = cursor;
    this.onGiven = onGiven;
  }

  get recordId(): RecordId {
    return this.cursor.recordId;
  }

  get document(): Buffer {
    return this.cursor.document;
  }

  get documentInPlace(): Buffer {
    if (this.given === undefined) {
      // Of its own memory, in which nothing else is overwritten.
      this.given = Buffer.allocUnsafeSlow(this.cursor.document.length);
      this.cursor.document.copy(this.given);
      this.onGiven();
    }
    return this.given.subarray(0);
  }

  get bytes(): Buffer {
    return this.cursor.bytes;
  }

  get start(): number {
    return this.cursor.start;
  }

  next(): MaybePromise<boolean> {
    this.vanish();
    return this.cursor.next();
  }

  detach(): void {
    this.cursor.detach();
  }

  attach(view: ReadView): void {
    this.cursor.attach(view);
  }

  close(): void {
    this.vanish();
    this.cursor.close();
  }

  private vanish(): void {
    this.given?.fill(GONE);
    this.given = undefined;
  }
}

/** @returns the view, and how many documents it has given in place */
export function vanishing(view: ReadView): { view: ReadView; readonly given: number } {
  let given = 0;
  const scanRecords = (collection: CollectionDescription, options?: ScanOptions): RecordCursor =>
    new VanishingCursor(view.scanRecords(collection, options), () => {
      given += 1;
    });
  const wrapped = new Proxy(view, {
    get: (target, name) => {
      if (name === 'scanRecords') return scanRecords;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return {
    view: wrapped,
    get given() {
      return given;
    },
  };
}

/**
 * What importing a document does, by --mode: an insert, or a statement that finds the document by its key fields.
 * Source: MongoDB's manual, "mongoimport", --mode and --upsertFields.
 */
import {
  DocumentBuilder,
  getPath,
  parsePath,
  type FieldPath,
  type RawValue,
} from '../../bson/index.ts';
import type { StatementKind } from '../transfer/batch-writer.ts';

export type ImportMode = 'insert' | 'upsert' | 'merge' | 'delete';

export interface ImportStatement {
  readonly kind: StatementKind;
  readonly bytes: Buffer;
}

/** Statements for documents. Without any of its key fields a document is inserted; for delete it means nothing. */
export class Statements {
  private readonly mode: ImportMode;
  private readonly keys: readonly (readonly [name: string, path: FieldPath])[];

  constructor(mode: ImportMode, keyFields: readonly string[]) {
    this.mode = mode;
    this.keys = keyFields.map((name) => [name, parsePath(name)]);
  }

  /** @returns undefined when there is nothing to do. */
  of(document: Buffer): ImportStatement | undefined {
    if (this.mode === 'insert') return { kind: 'insert', bytes: document };
    const filter = this.filterOf(document);
    if (filter === undefined) {
      return this.mode === 'delete' ? undefined : { kind: 'insert', bytes: document };
    }
    return this.mode === 'delete'
      ? { kind: 'delete', bytes: deletion(filter) }
      : { kind: 'update', bytes: this.update(filter, document) };
  }

  private update(filter: Buffer, document: Buffer): Buffer {
    const out = new DocumentBuilder(document.length + 256).appendDocument('q', filter);
    if (this.mode === 'merge') {
      out.appendDocument(
        'u',
        new DocumentBuilder(document.length + 64).appendDocument('$set', document).finish(),
      );
    } else out.appendDocument('u', document);
    return out.appendBoolean('upsert', true).finish();
  }

  private filterOf(document: Buffer): Buffer | undefined {
    const filter = new DocumentBuilder();
    let isKeyed = false;
    for (const [name, path] of this.keys) {
      const value: RawValue | undefined = getPath(document, path);
      if (value === undefined) filter.appendNull(name);
      else {
        filter.append(name, value);
        isKeyed = true;
      }
    }
    return isKeyed ? filter.finish() : undefined;
  }
}

function deletion(filter: Buffer): Buffer {
  return new DocumentBuilder().appendDocument('q', filter).appendInt32('limit', 1).finish();
}

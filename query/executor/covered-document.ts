/**
 * Documents made from index keys alone.
 *
 * Owns: which fields of an index give which paths of a projection. Promises: undefined where a key does not say enough: a null may
 * stand for a missing field. The planner uses it only where no array lies on these paths.
 */
import { decodeIndexKey, DocumentBuilder, type RawValue } from '../../bson/index.ts';
import type { IndexDescription } from '../../storage/index.ts';

type Branch = Map<string, number | Branch>;

export class CoveredDocument {
  private readonly index: IndexDescription;
  private readonly tree: Branch = new Map();

  /** @param paths all of which are fields of the index. */
  constructor(index: IndexDescription, paths: Iterable<string>) {
    this.index = index;
    const wanted = new Set(paths);
    const fields = index.fields.map(({ path }, position) => ({ path, position }));
    // As in every document, _id comes first.
    fields.sort((a, b) => Number(b.path === '_id') - Number(a.path === '_id'));
    for (const { path, position } of fields) {
      if (wanted.has(path)) plant(this.tree, path.split('.'), position);
    }
  }

  /** The document of the paths, in the order of the index. */
  make(key: Buffer, typeBits: Buffer): Buffer | undefined {
    const directions = this.index.fields.map((field) => field.direction);
    const values = decodeIndexKey(key, typeBits, directions);
    const builder = new DocumentBuilder();
    return write(builder, this.tree, values) ? builder.finish() : undefined;
  }
}

function plant(branch: Branch, [name, ...rest]: string[], position: number): void {
  if (name === undefined) return;
  if (rest.length === 0) {
    branch.set(name, position);
    return;
  }
  const known = branch.get(name);
  const below: Branch = known instanceof Map ? known : new Map();
  branch.set(name, below);
  plant(below, rest, position);
}

function write(builder: DocumentBuilder, branch: Branch, values: readonly RawValue[]): boolean {
  for (const [name, child] of branch) {
    if (child instanceof Map) {
      builder.beginDocument(name);
      if (!write(builder, child, values)) return false;
      builder.end();
      continue;
    }
    const value = values[child];
    if (value === undefined || value.isNullish) return false;
    builder.append(name, value);
  }
  return true;
}

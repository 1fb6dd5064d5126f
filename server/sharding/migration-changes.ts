/**
 * Which documents of a collection have changed since a migration began to copy it.
 *
 * Owns: the set of their ids; what they have become is read when they are sent. Bounded: a migration that falls behind without end
 * gives up, instead of filling the memory.
 */
import { canonicalKey, rawValueFrom, type RawValue } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import type { CollectionUuid } from '../../storage/index.ts';

/** Bytes of ids that are remembered at most. */
const MAX_BYTES = 64 * 1024 * 1024;

export class MigrationChanges {
  readonly uuid: CollectionUuid;
  private readonly ids = new Map<string, RawValue>();
  private bytes = 0;
  private isFull = false;

  constructor(uuid: CollectionUuid) {
    this.uuid = uuid;
  }

  get count(): number {
    return this.ids.size;
  }

  /** A document with this `_id` was inserted, changed or removed. */
  note(id: RawValue): void {
    if (this.isFull) return;
    const key = canonicalKey(id);
    if (this.ids.has(key)) return;
    const bytes = Buffer.from(id.toBytes());
    this.ids.set(key, rawValueFrom(id.type, bytes));
    this.bytes += bytes.length;
    this.isFull = this.bytes > MAX_BYTES;
  }

  /** @returns the oldest of those noted so far, `most` of them. @throws CommandError when there were more than fit */
  take(most = Infinity): RawValue[] {
    uassert(!this.isFull, 'OperationFailed', 'Too many changes during a migration');
    const taken: RawValue[] = [];
    for (const [key, id] of this.ids) {
      if (taken.length >= most) break;
      taken.push(id);
      this.ids.delete(key);
      this.bytes -= id.toBytes().length;
    }
    return taken;
  }
}

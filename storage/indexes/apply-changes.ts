/**
 * Applies packed changes to an ordered map within one transaction: the same code for LMDB's writer and the memory store.
 */
import { unreachable } from '../../common/assert.ts';
import type { Ident, RecordId } from '../contract.ts';
import {
  RECORD_MAP_ENTRY,
  RecordBlockEditor,
  recordBlockOf,
  recordMapKey,
  recordSlotOf,
} from '../format/record-map.ts';
import { IDENT_BYTES, readUInt48BE } from '../format/tree-key.ts';
import {
  CHANGE_KIND,
  DELETE_HEADER_BYTES,
  DELETE_RANGE_HEADER_BYTES,
  PUT_HEADER_BYTES,
  RECORD_HEADER_BYTES,
} from './changes.ts';
import type { CommitResult } from './contract.ts';
import { CHECKSUM_BYTES, openValue, sealedValue, sealInPlace } from './sealed-value.ts';

/** What changes are applied to. Values are sealed. Buffers given to it may change after the call. */
export interface ChangeTarget {
  get(key: Buffer): Buffer | undefined;
  put(key: Buffer, sealed: Buffer): void;
  delete(key: Buffer): void;
  /** The first `most` keys of [lower, upper). */
  keysIn(lower: Buffer, upper: Buffer, most: number): Buffer[];
}

/** @param chunks of packed changes, in memory that may be written to (checksums go in) */
export function applyChanges(chunks: Iterable<Buffer>, target: ChangeTarget): CommitResult {
  const writer = new ChangeWriter(target);
  for (const chunk of chunks) writer.applyChunk(chunk);
  writer.finishBlock();
  return { deletedRanges: writer.deletedRanges };
}

class ChangeWriter {
  readonly deletedRanges: { deleted: number; finished: boolean }[] = [];
  private readonly target: ChangeTarget;
  private readonly editor = new RecordBlockEditor();
  private editedIdent = -1;
  private editedBlock = -1;

  constructor(target: ChangeTarget) {
    this.target = target;
  }

  applyChunk(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) at = this.applyChange(chunk, at);
  }

  /** Writes the record map block that is being edited, if any. */
  finishBlock(): void {
    if (this.editedBlock < 0) return;
    const key = recordMapKey(this.editedIdent as Ident, this.editedBlock);
    const block = this.editor.finish();
    if (block === undefined) this.target.delete(key);
    else this.target.put(key, sealedValue(key, block));
    this.editedBlock = -1;
  }

  /** @returns the offset of the change after this one. */
  private applyChange(chunk: Buffer, at: number): number {
    const kind = chunk[at];
    if (kind === CHANGE_KIND.setRecord || kind === CHANGE_KIND.removeRecord) {
      return this.applyRecord(chunk, at, kind);
    }
    // Another change may touch the edited block's own key: it must find the block written.
    this.finishBlock();
    switch (kind) {
      case CHANGE_KIND.put:
        return this.applyPut(chunk, at);
      case CHANGE_KIND.delete:
        return this.applyDelete(chunk, at);
      case CHANGE_KIND.deleteRange:
        return this.applyDeleteRange(chunk, at);
      default:
        return unreachable(kind as never);
    }
  }

  private applyPut(chunk: Buffer, at: number): number {
    const keyStart = at + PUT_HEADER_BYTES;
    const valueStart = keyStart + chunk.readUInt16LE(at + 1);
    const valueEnd = valueStart + chunk.readUInt32LE(at + 3);
    sealInPlace(chunk, keyStart, valueEnd);
    const end = valueEnd + CHECKSUM_BYTES;
    this.target.put(chunk.subarray(keyStart, valueStart), chunk.subarray(valueStart, end));
    return end;
  }

  private applyDelete(chunk: Buffer, at: number): number {
    const keyStart = at + DELETE_HEADER_BYTES;
    const end = keyStart + chunk.readUInt16LE(at + 1);
    this.target.delete(chunk.subarray(keyStart, end));
    return end;
  }

  private applyDeleteRange(chunk: Buffer, at: number): number {
    const lowerStart = at + DELETE_RANGE_HEADER_BYTES;
    const lowerEnd = lowerStart + chunk.readUInt16LE(at + 1);
    const end = lowerEnd + chunk.readUInt16LE(at + 3);
    const most = chunk.readUInt32LE(at + 5);
    const keys = this.target.keysIn(
      chunk.subarray(lowerStart, lowerEnd),
      chunk.subarray(lowerEnd, end),
      most,
    );
    for (const key of keys) this.target.delete(key);
    this.deletedRanges.push({ deleted: keys.length, finished: keys.length < most });
    return end;
  }

  private applyRecord(chunk: Buffer, at: number, kind: number): number {
    const ident = readUInt48BE(chunk, at + 1) as Ident;
    const recordId = readUInt48BE(chunk, at + 1 + IDENT_BYTES) as RecordId;
    this.openBlock(ident, recordBlockOf(recordId));
    const end = at + RECORD_HEADER_BYTES;
    if (kind === CHANGE_KIND.removeRecord) {
      this.editor.remove(recordSlotOf(recordId));
      return end;
    }
    this.editor.set(recordSlotOf(recordId), chunk, end);
    return end + RECORD_MAP_ENTRY.size;
  }

  private openBlock(ident: Ident, block: number): void {
    if (this.editedBlock === block && this.editedIdent === ident) return;
    this.finishBlock();
    this.editedIdent = ident;
    this.editedBlock = block;
    const key = recordMapKey(ident, block);
    const sealed = this.target.get(key);
    this.editor.load(sealed === undefined ? undefined : openValue(key, sealed));
  }
}

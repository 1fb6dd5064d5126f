/**
 * The record of a clean close: recovery need not search what lies behind the chain's end for traces of lost batches.
 *
 * Owns: one small device beside the segments. Invariants:
 *  1. It is written when every batch is on the device and none will follow in this life.
 *  2. It is gone, durably, before the next life writes its first batch; so it never speaks of an end that was passed.
 * A missing or damaged record costs the search and nothing else.
 */
import { DeviceError } from '../../common/errors.ts';
import type { Clock } from '../../common/clock.ts';
import { allocateAligned, releaseAligned } from '../device/aligned-memory.ts';
import { flushBio, readBio, sectorNumber, writeBio } from '../device/bio.ts';
import type { Volume } from '../device/contract.ts';
import { RequestQueue } from '../device/request-queue.ts';
import { readEndRecord, writeEndRecord, type JournalEndRecord } from '../format/journal-end.ts';

export class EndRecordFile {
  private readonly volume: Volume;
  private readonly name: string;
  private readonly storeId: Buffer;
  private readonly clock: Clock;

  constructor(options: {
    readonly volume: Volume;
    readonly prefix: string;
    readonly storeId: Buffer;
    readonly clock: Clock;
  }) {
    this.volume = options.volume;
    this.name = `${options.prefix}end`;
    this.storeId = options.storeId;
    this.clock = options.clock;
  }

  /** undefined when the journal was not closed, or nobody can tell any more. */
  async read(): Promise<JournalEndRecord | undefined> {
    if (!(await this.volume.list()).includes(this.name)) return undefined;
    try {
      return await this.withBlock(async (block, queue) => {
        await queue.submit(flushBio());
        await queue.submit(readBio(queue.device, sectorNumber(0), [block]));
        return readEndRecord(block, this.storeId);
      });
    } catch (error) {
      if (error instanceof DeviceError) return undefined;
      throw error;
    }
  }

  async write(end: JournalEndRecord): Promise<void> {
    await this.withBlock(async (block, queue) => {
      writeEndRecord(block, this.storeId, end);
      await queue.submit(writeBio(queue.device, sectorNumber(0), [block], { fua: true }));
    });
  }

  async remove(): Promise<void> {
    await this.volume.remove(this.name);
  }

  private async withBlock<Result>(
    use: (block: Buffer, queue: RequestQueue) => Promise<Result>,
  ): Promise<Result> {
    const device = await this.volume.open(this.name, { create: true, sectorCount: 1 });
    const queue = new RequestQueue(device, { clock: this.clock });
    const block = allocateAligned(device.sectorBytes);
    try {
      return await use(block, queue);
    } finally {
      releaseAligned(block);
      await queue.idle();
      await device.close();
    }
  }
}

import assert from 'node:assert/strict';
import { systemClock } from '../../../common/clock.ts';
import { DeviceError } from '../../../common/errors.ts';
import {
  discardBio,
  flushBio,
  readBio,
  sectorNumber,
  writeBio,
} from '../../../storage/device/bio.ts';
import type { Bio, Device } from '../../../storage/device/contract.ts';
import { MemoryVolume } from '../../../storage/device/memory-volume.ts';
import { QueueCounters } from '../../../storage/device/queue-counters.ts';
import { RequestQueue } from '../../../storage/device/request-queue.ts';
import { allocate, pattern, read, rejectsWith } from '../../contracts/device.ts';

/** A device whose calls end when the test says so. */
class HeldDevice implements Device {
  readonly name = 'held';
  readonly sectorBytes = 4096;
  readonly sectorCount = 1024;
  readonly durableWrites = false;
  readonly calls: Bio[] = [];
  private readonly enders: ((error?: Error) => void)[] = [];

  execute(bio: Bio): Promise<void> {
    this.calls.push(bio);
    return new Promise((resolve, reject) => {
      this.enders.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  executeSync(bio: Bio): void {
    this.calls.push(bio);
  }

  /** Ends the n-th call. */
  end(call: number, error?: Error): void {
    this.enders[call](error);
  }

  grow(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe('request queue', () => {
  const clock = systemClock;
  let device: HeldDevice;

  beforeEach(() => {
    device = new HeldDevice();
  });

  function write(sector: number, sectors = 1, options = {}): Bio {
    return writeBio(device, sectorNumber(sector), [allocate(device, sectors)], options);
  }

  function placesOf(calls: readonly Bio[]): string[] {
    return calls.map(
      (bio) => `${bio.operation} ${bio.firstSector}+${bio.sectorCount}${bio.fua ? ' fua' : ''}`,
    );
  }

  function submitPlugged(queue: RequestQueue, bios: readonly Bio[]): Promise<void>[] {
    queue.plug();
    const done = bios.map((bio) => queue.submit(bio));
    queue.unplug();
    return done;
  }

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('hands a lone bio to the device at once', async () => {
    const queue = new RequestQueue(device, { clock });
    const done = queue.submit(write(3));
    assert.deepEqual(placesOf(device.calls), ['WRITE 3+1']);
    device.end(0);
    await done;
    assert.equal(queue.statistics.operations.WRITE.bios, 1);
    assert.equal(queue.statistics.operations.WRITE.bytes, 4096);
  });

  it('merges neighbours of one operation behind and in front, while plugged', async () => {
    const queue = new RequestQueue(device, { clock });
    const bios = [write(10), write(11, 2), write(9), write(20), write(8)];
    const done = submitPlugged(queue, bios);
    assert.deepEqual(placesOf(device.calls), ['WRITE 8+5', 'WRITE 20+1']);
    device.end(0);
    device.end(1);
    await Promise.all(done);
    assert.equal(queue.statistics.merges, 3);
    assert.equal(queue.statistics.operations.WRITE.bios, 5);
    assert.equal(queue.statistics.operations.WRITE.calls, 2);
  });

  it('keeps operations and forced unit access apart', () => {
    const queue = new RequestQueue(device, { clock });
    void submitPlugged(queue, [
      write(1),
      write(2, 1, { fua: true }),
      readBio(device, sectorNumber(3), [allocate(device, 1)]),
      discardBio(sectorNumber(4), 1),
    ]);
    assert.deepEqual(placesOf(device.calls), [
      'WRITE 1+1',
      'WRITE 2+1 fua',
      'READ 3+1',
      'DISCARD 4+1',
    ]);
  });

  it('answers several waiting flushes with one', async () => {
    const queue = new RequestQueue(device, { clock });
    const done = submitPlugged(queue, [flushBio(), flushBio(), flushBio()]);
    assert.deepEqual(placesOf(device.calls), ['FLUSH 0+0']);
    device.end(0);
    await Promise.all(done);
  });

  it('does not make requests longer than its bound', () => {
    const queue = new RequestQueue(device, { clock, mostMergedBytes: 4 * 4096 });
    void submitPlugged(
      queue,
      [0, 1, 2, 3, 4, 5].map((sector) => write(sector)),
    );
    assert.deepEqual(placesOf(device.calls), ['WRITE 0+4', 'WRITE 4+2']);
  });

  it('joins buffers that lie behind each other in memory, and only those', () => {
    const queue = new RequestQueue(device, { clock });
    const memory = allocate(device, 4);
    void submitPlugged(queue, [
      writeBio(device, sectorNumber(0), [memory.subarray(0, 4096)]),
      writeBio(device, sectorNumber(1), [memory.subarray(4096, 8192)]),
      writeBio(device, sectorNumber(2), [memory.subarray(12_288)]),
    ]);
    assert.deepEqual(
      device.calls[0].buffers.map((buffer) => buffer.length),
      [8192, 4096],
    );
  });

  it('merges what waits behind a busy device', async () => {
    const queue = new RequestQueue(device, { clock, depth: 1 });
    const done = [5, 6, 7, 8].map((sector) => queue.submit(write(sector)));
    assert.deepEqual(placesOf(device.calls), ['WRITE 5+1']);
    device.end(0);
    await turn();
    assert.deepEqual(placesOf(device.calls), ['WRITE 5+1', 'WRITE 6+3']);
    device.end(1);
    await Promise.all(done);
  });

  it('lets bios wait at the gate, in order, beyond its bound', async () => {
    const queue = new RequestQueue(device, { clock, depth: 1, limit: 2 });
    const done = [10, 20, 30, 40].map((sector) => queue.submit(write(sector)));
    assert.equal(queue.statistics.depth, 2);
    assert.equal(queue.statistics.gateWaits, 2);
    for (const call of [0, 1, 2, 3]) {
      device.end(call);
      await turn();
    }
    await Promise.all(done);
    assert.deepEqual(placesOf(device.calls), [
      'WRITE 10+1',
      'WRITE 20+1',
      'WRITE 30+1',
      'WRITE 40+1',
    ]);
    assert.equal(queue.statistics.maxDepth, 2);
  });

  it('shows pressure while it is more than half full', async () => {
    const queue = new RequestQueue(device, { clock, limit: 32 });
    const done = Array.from({ length: 17 }, (_, index) => queue.submit(write(index * 10)));
    const { pressure } = queue;
    assert.ok(pressure instanceof Promise);
    device.end(0);
    await pressure;
    assert.equal(queue.pressure, undefined);
    for (let call = 1; call < 17; call += 1) device.end(call);
    await Promise.all(done);
  });

  it('acknowledges a failure to all writers of a merged request, and does not try again', async () => {
    const queue = new RequestQueue(device, { clock });
    const done = submitPlugged(queue, [write(0), write(1)]);
    device.end(0, new DeviceError('EIO', 'broken'));
    for (const promise of done) await rejectsWith(promise, 'EIO');
    assert.equal(device.calls.length, 1);
    assert.equal(queue.statistics.operations.WRITE.errors, 2);
  });

  it('reads merged neighbours of a bad sector again, one by one', async () => {
    const queue = new RequestQueue(device, { clock });
    const reads = [0, 1].map((sector) =>
      readBio(device, sectorNumber(sector), [allocate(device, 1)]),
    );
    const [first, second] = submitPlugged(queue, reads);
    device.end(0, new DeviceError('EIO', 'broken'));
    await turn();
    device.end(1, new DeviceError('EIO', 'broken'));
    await rejectsWith(first, 'EIO');
    await turn();
    device.end(2);
    await second;
    assert.deepEqual(placesOf(device.calls), ['READ 0+2', 'READ 0+1', 'READ 1+1']);
  });

  it('becomes idle when all is acknowledged', async () => {
    const queue = new RequestQueue(device, { clock });
    void queue.submit(write(0));
    let idle = false;
    const waiting = queue.idle().then(() => {
      idle = true;
    });
    await turn();
    assert.equal(idle, false);
    device.end(0);
    await waiting;
    await queue.idle();
  });

  it('measures how long acknowledgements take', async () => {
    const queue = new RequestQueue(device, { clock });
    const done = queue.submit(write(0));
    await turn();
    device.end(0);
    await done;
    const { latency } = queue.statistics.operations.WRITE;
    assert.equal(latency.count, 1);
    assert.ok(latency.maxUs > 0);
    assert.ok(latency.p50Us <= latency.p99Us);
    assert.deepEqual(Object.values(latency.histogram), [1]);
    const [end] = Object.keys(latency.histogram).map(Number);
    assert.ok(latency.maxUs <= end);
    assert.ok(latency.maxUs > end / 2 || end === 1);
  });

  it('counts together with other queues that share its counters', async () => {
    const counters = new QueueCounters();
    const queues = [1, 2].map(() => new RequestQueue(device, { clock, counters }));
    const done = queues.map((queue) => queue.submit(write(0)));
    await turn();
    assert.equal(queues[0].statistics.depth, 2);
    device.end(0);
    device.end(1);
    await Promise.all(done);
    const { depth, maxDepth, operations } = queues[1].statistics;
    assert.deepEqual([depth, maxDepth], [0, 2]);
    assert.equal(operations.WRITE.bios, 2);
    assert.equal(operations.WRITE.bytes, 2 * 4096);
    assert.equal(operations.WRITE.latency.count, 2);
  });

  it('carries real data through merges', async () => {
    const memory = await new MemoryVolume().open('disk', { create: true, sectorCount: 64 });
    const queue = new RequestQueue(memory, { clock });
    const sectors = Array.from({ length: 64 }, (_, sector) => pattern(memory, 1, sector));
    await Promise.all(
      submitPlugged(
        queue,
        sectors.map((bytes, sector) => writeBio(memory, sectorNumber(sector), [bytes])),
      ),
    );
    assert.deepEqual(await read(memory, 0, 64), Buffer.concat(sectors));
    const into = allocate(memory, 3);
    queue.readSync(sectorNumber(7), [into]);
    assert.deepEqual(into, Buffer.concat(sectors.slice(7, 10)));
    assert.equal(queue.statistics.operations.READ.bios, 1);
  });
});

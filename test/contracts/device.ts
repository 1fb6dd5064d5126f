/** What storage/device/contract.ts promises, run for every implementation of a volume. */
import assert from 'node:assert/strict';
import { DeviceError } from '../../common/errors.ts';
import { allocateAligned, releaseAligned } from '../../storage/device/aligned-memory.ts';
import { discardBio, flushBio, readBio, sectorNumber, writeBio } from '../../storage/device/bio.ts';
import type { Device, DeviceOpenOptions, Volume } from '../../storage/device/contract.ts';

export interface VolumeUnderTest {
  readonly volume: Volume;
  /** Options that every open gets besides. */
  readonly options?: DeviceOpenOptions;
  dispose(): Promise<void>;
}

/** Registers the suite. Call it inside a describe(). */
export function describeVolume(make: () => Promise<VolumeUnderTest>): void {
  let under: VolumeUnderTest;
  let devices: Device[];

  beforeEach(async () => {
    under = await make();
    devices = [];
  });

  afterEach(async () => {
    for (const device of devices) await device.close();
    await under.volume.close();
    await under.dispose();
  });

  async function open(name: string, options: DeviceOpenOptions = {}): Promise<Device> {
    const device = await under.volume.open(name, { ...under.options, ...options });
    devices.push(device);
    return device;
  }

  async function openNew(sectorCount = 16, options: DeviceOpenOptions = {}): Promise<Device> {
    return open('disk', { create: true, sectorCount, ...options });
  }

  it('refuses to open a device that is not there', async () => {
    await rejectsWith(open('disk'), 'ENOENT');
  });

  it('creates a device of the size asked for, full of zeros', async () => {
    const device = await openNew(5);
    assert.equal(device.sectorCount, 5);
    assert.equal(device.sectorBytes, under.volume.sectorBytes);
    assert.deepEqual(await read(device, 0, 5), Buffer.alloc(5 * device.sectorBytes));
  });

  it('has sectors of at least 4096 bytes, a power of two', () => {
    const { sectorBytes } = under.volume;
    assert.ok(sectorBytes >= 4096);
    assert.equal(2 ** Math.round(Math.log2(sectorBytes)), sectorBytes);
  });

  it('reads back what it wrote', async () => {
    const device = await openNew();
    const bytes = pattern(device, 3, 1);
    await device.execute(writeBio(device, sectorNumber(2), [bytes]));
    assert.deepEqual(await read(device, 2, 3), bytes);
    assert.deepEqual(await read(device, 1, 1), Buffer.alloc(device.sectorBytes));
    assert.deepEqual(await read(device, 5, 1), Buffer.alloc(device.sectorBytes));
  });

  it('scatters and gathers lists of buffers in order', async () => {
    const device = await openNew();
    const parts = [pattern(device, 1, 1), pattern(device, 3, 2), pattern(device, 2, 3)];
    await device.execute(writeBio(device, sectorNumber(4), parts));
    const into = [allocate(device, 2), allocate(device, 4)];
    await device.execute(readBio(device, sectorNumber(4), into));
    assert.deepEqual(Buffer.concat(into), Buffer.concat(parts));
  });

  it('reads and writes on the calling thread as in the background', async () => {
    const device = await openNew();
    const bytes = pattern(device, 2, 7);
    device.executeSync(writeBio(device, sectorNumber(1), [bytes]));
    device.executeSync(flushBio());
    assert.deepEqual(await read(device, 1, 2), bytes);
    const into = allocate(device, 2);
    device.executeSync(readBio(device, sectorNumber(1), [into]));
    assert.deepEqual(into, bytes);
  });

  it('carries out many requests at once', async () => {
    const device = await openNew(64);
    const sectors = Array.from({ length: 64 }, (_, sector) => pattern(device, 1, sector));
    await Promise.all(
      sectors.map((bytes, sector) =>
        device.execute(writeBio(device, sectorNumber(sector), [bytes])),
      ),
    );
    await device.execute(flushBio());
    assert.deepEqual(await read(device, 0, 64), Buffer.concat(sectors));
  });

  it('takes a request of a mebibyte in many buffers', async () => {
    const count = (1024 * 1024) / under.volume.sectorBytes;
    const device = await openNew(count);
    const sectors = Array.from({ length: count }, (_, sector) => pattern(device, 1, sector));
    await device.execute(writeBio(device, sectorNumber(0), sectors, { fua: true }));
    assert.deepEqual(await read(device, 0, count), Buffer.concat(sectors));
  });

  it('keeps its contents when it is closed and opened again', async () => {
    const device = await openNew();
    const bytes = pattern(device, 1, 9);
    await device.execute(writeBio(device, sectorNumber(3), [bytes], { fua: true }));
    await device.close();
    const again = await open('disk');
    assert.equal(again.sectorCount, 16);
    assert.deepEqual(await read(again, 3, 1), bytes);
  });

  it('keeps the size of a device that exists already', async () => {
    await (await openNew(4)).close();
    assert.equal((await openNew(32)).sectorCount, 4);
  });

  it('grows with zeros behind what is there, and never shrinks', async () => {
    const device = await openNew(2);
    const bytes = pattern(device, 2, 3);
    await device.execute(writeBio(device, sectorNumber(0), [bytes]));
    await Promise.all([device.grow(9), device.grow(5)]);
    assert.equal(device.sectorCount, 9);
    assert.deepEqual(await read(device, 0, 2), bytes);
    assert.deepEqual(await read(device, 2, 7), Buffer.alloc(7 * device.sectorBytes));
  });

  it('refuses requests that leave the device', async () => {
    const device = await openNew(4);
    const bytes = allocate(device, 2);
    await rejectsWith(device.execute(writeBio(device, sectorNumber(3), [bytes])), 'EINVAL');
    await rejectsWith(device.execute(readBio(device, sectorNumber(4), [bytes])), 'EINVAL');
    await rejectsWith(device.execute(discardBio(sectorNumber(0), 5)), 'EINVAL');
    assert.throws(() => device.executeSync(readBio(device, sectorNumber(3), [bytes])), DeviceError);
  });

  it('refuses memory that direct I/O would refuse', async () => {
    const device = await openNew(4);
    const ordinary = Buffer.alloc(device.sectorBytes);
    await rejectsWith(device.execute(readBio(device, sectorNumber(0), [ordinary])), 'EINVAL');
    assert.throws(
      () => device.executeSync(writeBio(device, sectorNumber(0), [ordinary])),
      DeviceError,
    );
  });

  it('can be written again after a discard', async () => {
    const device = await openNew(8);
    await device.execute(writeBio(device, sectorNumber(0), [pattern(device, 8, 1)]));
    await device.execute(discardBio(sectorNumber(2), 4));
    const bytes = pattern(device, 4, 5);
    await device.execute(writeBio(device, sectorNumber(2), [bytes]));
    assert.deepEqual(await read(device, 2, 4), bytes);
    assert.deepEqual(await read(device, 0, 2), pattern(device, 8, 1).subarray(0, 2 * 4096));
  });

  it('works with durable writes over zeroed sectors, too', async () => {
    const device = await openNew(16, { durableWrites: true, zeroed: true });
    assert.equal(device.durableWrites, true);
    await device.grow(20);
    const bytes = pattern(device, 2, 4);
    await device.execute(writeBio(device, sectorNumber(17), [bytes]));
    assert.deepEqual(await read(device, 17, 2), bytes);
    assert.deepEqual(await read(device, 0, 17), Buffer.alloc(17 * device.sectorBytes));
  });

  it('opens with the sector size of another disk', async () => {
    const sectorBytes = under.volume.sectorBytes * 2;
    const device = await openNew(4, { sectorBytes });
    assert.equal(device.sectorBytes, sectorBytes);
    const bytes = pattern(device, 1, 8);
    await device.execute(writeBio(device, sectorNumber(3), [bytes]));
    assert.deepEqual(await read(device, 3, 1), bytes);
  });

  it('answers EBADF once it is closed, and closes twice without complaint', async () => {
    const device = await openNew();
    await device.close();
    await device.close();
    await rejectsWith(device.execute(flushBio()), 'EBADF');
    assert.throws(() => device.executeSync(flushBio()), DeviceError);
    await rejectsWith(device.grow(100), 'EBADF');
  });

  it('waits for what is in flight before it closes', async () => {
    const device = await openNew();
    const writing = device.execute(writeBio(device, sectorNumber(0), [pattern(device, 4, 2)]));
    await device.close();
    await writing;
    assert.deepEqual(await read(await open('disk'), 0, 4), pattern(device, 4, 2));
  });

  it('lists devices in order and removes them', async () => {
    for (const name of ['b', 'a', 'c']) await (await open(name, { create: true })).close();
    assert.deepEqual(await under.volume.list(), ['a', 'b', 'c']);
    await under.volume.remove('b');
    await under.volume.remove('not there');
    assert.deepEqual(await under.volume.list(), ['a', 'c']);
  });

  it('says how much space there is', async () => {
    const { freeBytes, totalBytes } = await under.volume.space();
    assert.ok(freeBytes > 0);
    assert.ok(freeBytes <= totalBytes);
  });
}

export async function rejectsWith(promise: Promise<unknown>, errno: string): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof DeviceError, String(error));
    assert.equal(error.errno, errno);
    return true;
  });
}

/** Aligned sectors whose content tells their seed and their position. */
export function pattern(
  device: Pick<Device, 'sectorBytes'>,
  sectorCount: number,
  seed: number,
): Buffer {
  const bytes = allocate(device, sectorCount);
  for (let offset = 0; offset < bytes.length; offset += 4) {
    bytes.writeUInt32LE((Math.imul(offset + 1, 2_654_435_761) ^ (seed * 97)) >>> 0, offset);
  }
  return bytes;
}

export function allocate(device: Pick<Device, 'sectorBytes'>, sectorCount: number): Buffer {
  return allocateAligned(sectorCount * device.sectorBytes);
}

/** Reads sectors into a Buffer of their own. */
export async function read(
  device: Device,
  firstSector: number,
  sectorCount: number,
): Promise<Buffer> {
  const bytes = allocate(device, sectorCount).fill(0xee);
  await device.execute(readBio(device, sectorNumber(firstSector), [bytes]));
  const copy = Buffer.from(bytes);
  releaseAligned(bytes);
  return copy;
}

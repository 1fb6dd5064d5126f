import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DeviceError } from '../../../common/errors.ts';
import { LEAST_SECTOR_BYTES } from '../../../storage/device/block-size.ts';
import { flushBio, readBio, sectorNumber, writeBio } from '../../../storage/device/bio.ts';
import type { Device } from '../../../storage/device/contract.ts';
import {
  SimulatedVolume,
  type SimulatedVolumeOptions,
} from '../../../storage/device/simulated-volume.ts';
import { allocate, pattern, read, rejectsWith } from '../../contracts/device.ts';

describe('simulated volume', () => {
  async function openDisk(
    options: SimulatedVolumeOptions,
    deviceOptions = {},
  ): Promise<{ volume: SimulatedVolume; device: Device }> {
    const volume = new SimulatedVolume(options);
    const device = await volume.open('disk', { create: true, sectorCount: 64, ...deviceOptions });
    return { volume, device };
  }

  async function reopened(volume: SimulatedVolume): Promise<Device> {
    return volume.open('disk');
  }

  it('keeps flushed, forced and durable writes through a power cut', async () => {
    const { volume, device } = await openDisk({ seed: 1 });
    const journal = await volume.open('journal', {
      create: true,
      sectorCount: 8,
      durableWrites: true,
    });
    await device.execute(writeBio(device, sectorNumber(0), [pattern(device, 4, 1)]));
    await device.execute(flushBio());
    await device.execute(writeBio(device, sectorNumber(4), [pattern(device, 4, 2)], { fua: true }));
    await journal.execute(writeBio(journal, sectorNumber(0), [pattern(journal, 8, 3)]));
    volume.powerCut();
    const after = await reopened(volume);
    assert.deepEqual(await read(after, 0, 4), pattern(after, 4, 1));
    assert.deepEqual(await read(after, 4, 4), pattern(after, 4, 2));
    assert.deepEqual(await read(await volume.open('journal'), 0, 8), pattern(after, 8, 3));
  });

  it('loses, keeps or tears writes that were not flushed, by the seed', async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed += 1) {
      const { volume, device } = await openDisk({ seed });
      await device.execute(writeBio(device, sectorNumber(0), [pattern(device, 8, 5)]));
      volume.powerCut();
      const after = await read(await reopened(volume), 0, 8);
      const survived = [0, 1, 2, 3, 4, 5, 6, 7].filter((sector) =>
        after
          .subarray(sector * 4096, (sector + 1) * 4096)
          .equals(pattern(device, 8, 5).subarray(sector * 4096, (sector + 1) * 4096)),
      );
      outcomes.add(survived.length === 8 ? 'whole' : survived.length === 0 ? 'lost' : 'torn');
    }
    assert.deepEqual([...outcomes].sort(), ['lost', 'torn', 'whole']);
  });

  it('never lets an older write come back over a newer durable one', async () => {
    for (let seed = 0; seed < 30; seed += 1) {
      const { volume, device } = await openDisk({ seed });
      await device.execute(writeBio(device, sectorNumber(0), [pattern(device, 2, 1)]));
      await device.execute(
        writeBio(device, sectorNumber(0), [pattern(device, 2, 2)], { fua: true }),
      );
      assert.deepEqual(await read(device, 0, 2), pattern(device, 2, 2));
      volume.powerCut();
      assert.deepEqual(await read(await reopened(volume), 0, 2), pattern(device, 2, 2));
    }
  });

  it('does not promise what a flush in flight did not cover', async () => {
    let lost = 0;
    for (let seed = 0; seed < 40; seed += 1) {
      const { volume, device } = await openDisk({ seed });
      const flushing = device.execute(flushBio());
      const writing = device.execute(writeBio(device, sectorNumber(0), [pattern(device, 1, 1)]));
      await Promise.all([flushing, writing]);
      volume.powerCut();
      const after = await read(await reopened(volume), 0, 1);
      if (!after.equals(pattern(device, 1, 1))) lost += 1;
    }
    assert.ok(lost > 0);
  });

  describe('of 512-byte sectors on blocks of 4096 (512e)', () => {
    const DISK = { sectorBytes: 512, physicalBytes: 4096 };
    /** Writes `sectors` from sector 8 on beside a durable neighbour, and loses power. @returns what else changed */
    async function neighboursLost(seed: number, first: number, sectors: number): Promise<boolean> {
      const { volume, device } = await openDisk({ seed, ...DISK });
      const whole = pattern(device, 32, 1);
      await device.execute(writeBio(device, sectorNumber(0), [whole], { fua: true }));
      await device.execute(writeBio(device, sectorNumber(first), [pattern(device, sectors, 2)]));
      volume.powerCut();
      const after = await read(await reopened(volume), 0, 32);
      const isOutside = (sector: number): boolean => sector < first || sector >= first + sectors;
      return Array.from({ length: 32 }, (_, sector) => sector).some(
        (sector) =>
          isOutside(sector) &&
          !after
            .subarray(sector * 512, (sector + 1) * 512)
            .equals(whole.subarray(sector * 512, (sector + 1) * 512)),
      );
    }

    it('a torn write of less than a block reaches its neighbours', async () => {
      let lost = 0;
      for (let seed = 0; seed < 40; seed += 1) if (await neighboursLost(seed, 9, 3)) lost += 1;
      assert.ok(lost > 0);
    });

    it('a torn write of whole blocks does not: so sectors of a store are never smaller', async () => {
      for (let seed = 0; seed < 40; seed += 1) {
        assert.equal(await neighboursLost(seed, 8, 16), false);
      }
      assert.ok(LEAST_SECTOR_BYTES >= DISK.physicalBytes);
    });
  });

  it('of 512-byte blocks leaves sectors that are half old, half new', async () => {
    let mixed = 0;
    for (let seed = 0; seed < 40; seed += 1) {
      const { volume, device } = await openDisk({ seed, atomicBytes: 512 });
      await device.execute(
        writeBio(device, sectorNumber(0), [pattern(device, 4, 1)], { fua: true }),
      );
      await device.execute(writeBio(device, sectorNumber(0), [pattern(device, 4, 2)]));
      volume.powerCut();
      const after = await read(await reopened(volume), 0, 4);
      for (let sector = 0; sector < 4; sector += 1) {
        const bytes = after.subarray(sector * 4096, (sector + 1) * 4096);
        const isWhole = [1, 2].some((fill) =>
          bytes.equals(pattern(device, 4, fill).subarray(sector * 4096, (sector + 1) * 4096)),
        );
        if (!isWhole) mixed += 1;
      }
    }
    assert.ok(mixed > 0);
  });

  it('answers ENODEV to everything open at a power cut', async () => {
    const { volume, device } = await openDisk({ seed: 3 });
    const writing = device.execute(writeBio(device, sectorNumber(0), [pattern(device, 1, 1)]));
    volume.powerCut();
    await rejectsWith(writing, 'ENODEV');
    await rejectsWith(device.execute(flushBio()), 'ENODEV');
    await device.close();
    assert.equal(volume.faults.powerCut, 1);
  });

  it('cuts the power at a planned step, while that very write is under way', async () => {
    const left = new Set<number>();
    for (let seed = 0; seed < 30; seed += 1) {
      const { volume, device } = await openDisk({ seed });
      volume.plan({ kind: 'powerCut', atStep: 2 });
      await device.execute(writeBio(device, sectorNumber(0), [pattern(device, 1, 1)]));
      await rejectsWith(
        device.execute(writeBio(device, sectorNumber(8), [pattern(device, 4, 2)])),
        'ENODEV',
      );
      const after = await read(await reopened(volume), 8, 4);
      left.add(after.findIndex((byte) => byte !== 0));
    }
    assert.ok(left.size > 1);
  });

  it('fails the n-th request when told to', async () => {
    const { volume, device } = await openDisk({ seed: 4 });
    volume.plan({ kind: 'error', atStep: 2, errno: 'EIO' });
    await device.execute(flushBio());
    await rejectsWith(device.execute(flushBio()), 'EIO');
    await device.execute(flushBio());
  });

  it('reports space that is used up', async () => {
    const { device } = await openDisk({ seed: 5, capacityBytes: 80 * 4096 });
    await device.grow(80);
    await rejectsWith(device.grow(81), 'ENOSPC');
  });

  it('injects each fault, and counts it', async () => {
    const kinds = [
      'readError',
      'writeError',
      'flushError',
      'noSpace',
      'lostWrite',
      'misdirectedWrite',
      'bitRot',
      'stall',
    ] as const;
    for (const kind of kinds) {
      const { volume, device } = await openDisk({ seed: 6, faults: { [kind]: 0.5 } });
      for (let round = 0; round < 10; round += 1) {
        const write = writeBio(device, sectorNumber(round), [pattern(device, 2, round)]);
        const bios = [write, flushBio(), readBio(device, sectorNumber(0), [allocate(device, 4)])];
        for (const bio of bios) {
          await device.execute(bio).catch((error) => assert.ok(error instanceof DeviceError));
        }
      }
      assert.ok(volume.faults[kind] > 0, kind);
    }
  });

  it('spares the devices that are not to be faulty', async () => {
    const { volume, device } = await openDisk({
      seed: 7,
      faults: { writeError: 1 },
      faulty: (name) => name !== 'disk',
    });
    await device.execute(writeBio(device, sectorNumber(0), [pattern(device, 1, 1)]));
    assert.equal(volume.faults.writeError, 0);
  });

  it('rots a bit for good', async () => {
    const { volume, device } = await openDisk({ seed: 8 });
    await device.execute(writeBio(device, sectorNumber(0), [pattern(device, 1, 1)], { fua: true }));
    volume.rot('disk', 0, 17);
    const after = await read(device, 0, 1);
    assert.equal(after[2], pattern(device, 1, 1)[2] ^ 2);
    assert.deepEqual(await read(device, 0, 1), after);
  });

  it('does the same again for the same seed', async () => {
    async function story(seed: number): Promise<string> {
      const { volume, device } = await openDisk({
        seed,
        faults: { writeError: 0.2, lostWrite: 0.2, misdirectedWrite: 0.2, stall: 0.2 },
      });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 30 }, (_, index) =>
          device.execute(writeBio(device, sectorNumber(index), [pattern(device, 3, index)])),
        ),
      );
      volume.powerCut();
      const after = await read(await reopened(volume), 0, 64);
      return JSON.stringify([outcomes.map(({ status }) => status), after.toString('base64')]);
    }
    assert.equal(await story(42), await story(42));
    assert.notEqual(await story(42), await story(43));
  });

  it('shows after any power cut, sector by sector, the durable content or a later write', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('write' as const),
        sector: fc.integer({ min: 0, max: 12 }),
        sectors: fc.integer({ min: 1, max: 4 }),
        fua: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('flush' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.integer(), async (steps, seed) => {
        const { volume, device } = await openDisk({ seed });
        // Per sector the durable version and the later ones, as numbers of writes.
        const durable = new Map<number, number>();
        const later = new Map<number, number[]>();
        let version = 0;
        for (const next of steps) {
          if (next.kind === 'flush') {
            await device.execute(flushBio());
            for (const [sector, versions] of later) durable.set(sector, versions.at(-1) ?? 0);
            later.clear();
            continue;
          }
          version += 1;
          const bytes = allocate(device, next.sectors).fill(version);
          await device.execute(
            writeBio(device, sectorNumber(next.sector), [bytes], { fua: next.fua }),
          );
          for (let sector = next.sector; sector < next.sector + next.sectors; sector += 1) {
            if (next.fua) {
              durable.set(sector, version);
              later.delete(sector);
            } else {
              later.set(sector, [...(later.get(sector) ?? []), version]);
            }
          }
        }
        volume.powerCut();
        const after = await read(await reopened(volume), 0, 16);
        for (let sector = 0; sector < 16; sector += 1) {
          const found = after[sector * 4096];
          const allowed = [durable.get(sector) ?? 0, ...(later.get(sector) ?? [])];
          assert.ok(allowed.includes(found), `sector ${sector}: ${found} of ${allowed.join()}`);
        }
      }),
      { numRuns: 60 },
    );
  });
});

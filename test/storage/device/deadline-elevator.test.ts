import assert from 'node:assert/strict';
import { ManualClock } from '../../../common/clock.ts';
import {
  discardBio,
  flushBio,
  readBio,
  sectorNumber,
  writeBio,
} from '../../../storage/device/bio.ts';
import type { Bio } from '../../../storage/device/contract.ts';
import { createElevator } from '../../../storage/device/elevators/elevators.ts';
import type { Elevator } from '../../../storage/device/elevators/elevator.ts';

const DISK = { sectorBytes: 4096 };

describe('the deadline elevator', () => {
  let clock: ManualClock;
  let elevator: Elevator;

  beforeEach(() => {
    clock = new ManualClock();
    elevator = createElevator('deadline', { clock, mostMergedSectors: 64 });
  });

  function add(bio: Bio): boolean {
    const queuedAtMs = clock.monotonicMs();
    return elevator.add({ bio, queuedAtMs, resolve: () => {}, reject: () => {} });
  }
  const sectors = (count: number): Buffer[] => [Buffer.alloc(count * DISK.sectorBytes)];
  const read = (sector: number, count = 1): boolean =>
    add(readBio(DISK, sectorNumber(sector), sectors(count)));
  const write = (sector: number, count = 1): boolean =>
    add(writeBio(DISK, sectorNumber(sector), sectors(count)));
  /** All that is left, as letters and sectors in the order in which they go out. */
  function drain(most = Infinity): string[] {
    const order: string[] = [];
    while (order.length < most) {
      const request = elevator.next();
      if (request === undefined) break;
      order.push(`${request.operation[0]}${request.firstSector}`);
    }
    return order;
  }

  it('goes through reads by sector, and round again', () => {
    for (const sector of [500, 100, 300]) read(sector);
    assert.deepEqual(drain(2), ['R100', 'R300']);
    for (const sector of [200, 400]) read(sector);
    assert.deepEqual(drain(), ['R400', 'R500', 'R200']);
    assert.equal(elevator.length, 0);
  });

  it('keeps them by sector when one that joins in front reaches over another', () => {
    read(12);
    read(20);
    assert.equal(read(10, 10), true);
    assert.deepEqual(drain(), ['R10', 'R12']);
  });

  it('joins neighbours at both ends, as noop does', () => {
    read(10, 2);
    assert.equal(read(12, 2), true);
    assert.equal(read(8, 2), true);
    assert.equal(read(100), false);
    assert.equal(write(14), false);
    const request = elevator.next();
    assert.deepEqual([request?.firstSector, request?.sectorCount], [8, 6]);
    assert.equal(request?.bios.length, 3);
  });

  it('reads before it writes, but passes writes over two times only', () => {
    for (let batch = 0; batch < 4; batch += 1) {
      for (let sector = 0; sector < 16; sector += 1) read(batch * 1000 + sector * 2);
    }
    for (let sector = 0; sector < 3; sector += 1) write(9000 + sector * 2);
    const order = drain().map((each) => each[0]);
    assert.equal(order.indexOf('W'), 32);
    assert.deepEqual(order.slice(32, 35), ['W', 'W', 'W']);
    assert.ok(order.slice(35).every((each) => each === 'R'));
  });

  it('begins a batch at a request that has waited too long', () => {
    read(900);
    clock.advance(400);
    for (let sector = 0; sector < 40; sector += 1) read(sector * 2);
    clock.advance(99);
    assert.equal(drain(1)[0], 'R0');
    clock.advance(1);
    const order = drain(16);
    // The batch under way ends first.
    assert.equal(order[15], 'R900');
  });

  it('lets no write wait longer than its expiry for the end of reads', () => {
    write(5);
    for (let round = 0; round < 40; round += 1) {
      for (let sector = 0; sector < 16; sector += 1) read(round * 100 + sector * 2);
    }
    const order = drain();
    assert.ok(order.indexOf('W5') <= 32, `the write is number ${order.indexOf('W5')}`);
  });

  it('flushes first and discards last, unless the discard is old', () => {
    add(discardBio(sectorNumber(7), 1));
    read(1);
    add(flushBio());
    assert.deepEqual(drain(), ['F0', 'R1', 'D7']);
    add(discardBio(sectorNumber(7), 1));
    clock.advance(5000);
    read(1);
    assert.deepEqual(drain(), ['D7', 'R1']);
  });

  it('gives out every request once, whatever the order of arrival', () => {
    const given = Array.from({ length: 300 }, (_, index) => ((index * 7919) % 300) * 2);
    for (const [index, sector] of given.entries()) {
      if (index % 3 === 0) write(sector);
      else read(sector);
    }
    const sectorsOut = drain().map((each) => Number(each.slice(1)));
    assert.deepEqual(
      sectorsOut.sort((a, b) => a - b),
      given.sort((a, b) => a - b),
    );
  });
});

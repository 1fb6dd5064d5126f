import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LEAST_SECTOR_BYTES, physicalBlockBytes } from '../../../storage/device/block-size.ts';
import { discardBio, readBio, sectorNumber, writeBio } from '../../../storage/device/bio.ts';
import { FileVolume } from '../../../storage/device/file-volume.ts';
import { HolePuncher, punchCommand } from '../../../storage/device/hole-puncher.ts';
import { allocate, pattern, read, rejectsWith } from '../../contracts/device.ts';

const MIB = 1024 * 1024;

describe('file volume', () => {
  let directory: string;
  let volume: FileVolume;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flint-volume-'));
    volume = await FileVolume.open(directory);
  });

  afterEach(async () => {
    await volume.close();
    await rm(directory, { recursive: true });
  });

  it('creates its directory, and leaves nothing of its probe behind', async () => {
    const nested = await FileVolume.open(join(directory, 'a', 'b'));
    assert.deepEqual(await nested.list(), []);
  });

  it('takes the physical block size of the disk, at least 4096', async () => {
    assert.equal(volume.sectorBytes, await physicalBlockBytes(directory));
    assert.ok(volume.sectorBytes >= LEAST_SECTOR_BYTES);
    assert.equal(await physicalBlockBytes('/proc'), LEAST_SECTOR_BYTES);
  });

  it('removes what an interrupted creation left behind', async () => {
    await writeFile(join(directory, 'blocks.unfinished'), 'half');
    assert.deepEqual(await volume.list(), []);
    const again = await FileVolume.open(directory);
    await assert.rejects(stat(join(directory, 'blocks.unfinished')));
    assert.deepEqual(await again.list(), []);
  });

  it('reports by name that the directory does not answer', async () => {
    const gone = await FileVolume.open(join(directory, 'gone'));
    await rm(join(directory, 'gone'), { recursive: true });
    await rejectsWith(gone.space(), 'ENOENT');
    await rejectsWith(gone.list(), 'ENOENT');
  });

  it('refuses names that leave the directory', async () => {
    await rejectsWith(volume.open('../outside', { create: true }), 'EINVAL');
    await rejectsWith(volume.open('.hidden', { create: true }), 'EINVAL');
  });

  it('occupies the disk for zeroed devices at once, for others only as they are written', async () => {
    const options = { create: true, sectorCount: MIB / 4096 };
    await (await volume.open('sparse', options)).close();
    await (await volume.open('zeroed', { ...options, zeroed: true })).close();
    const blocksOf = async (name: string): Promise<number> =>
      (await stat(join(directory, name))).blocks * 512;
    assert.equal(await blocksOf('sparse'), 0);
    assert.ok((await blocksOf('zeroed')) >= MIB);
  });

  it('writes what other programs read', async () => {
    const device = await volume.open('disk', { create: true, sectorCount: 4 });
    const bytes = pattern(device, 2, 1);
    await device.execute(writeBio(device, sectorNumber(1), [bytes], { fua: true }));
    await device.close();
    const file = await readFile(join(directory, 'disk'));
    assert.deepEqual(file.subarray(4096, 3 * 4096), bytes);
  });

  it('does not count a last part that is no whole sector', async () => {
    await writeFile(join(directory, 'disk'), Buffer.alloc(10_000));
    const device = await volume.open('disk');
    assert.equal(device.sectorCount, 2);
    await device.close();
  });

  it('reports EIO when the file was cut behind its back', async () => {
    const device = await volume.open('disk', { create: true, sectorCount: 8 });
    await truncate(join(directory, 'disk'), 4096);
    const bio = readBio(device, sectorNumber(4), [allocate(device, 2)]);
    await rejectsWith(device.execute(bio), 'EIO');
    assert.throws(() => device.executeSync(bio), { errno: 'EIO' });
    await device.close();
  });

  it('gives discarded sectors back to the file system', async function () {
    const device = await volume.open('disk', { create: true, sectorCount: 512 });
    const bytes = pattern(device, 512, 1);
    await device.execute(writeBio(device, sectorNumber(0), [bytes], { fua: true }));
    const before = (await stat(join(directory, 'disk'))).blocks;
    await device.execute(discardBio(sectorNumber(128), 256));
    const after = (await stat(join(directory, 'disk'))).blocks;
    if (!canPunch(directory)) return this.skip();
    assert.ok(before - after >= (MIB / 512) * 0.9, `${before} blocks before, ${after} after`);
    assert.deepEqual(await read(device, 0, 128), bytes.subarray(0, 128 * 4096));
    assert.deepEqual(await read(device, 384, 128), bytes.subarray(384 * 4096));
    await device.close();
  });

  it('punches nothing for a process that has ended meanwhile', async () => {
    const path = join(directory, 'disk');
    await writeFile(path, Buffer.alloc(MIB, 1));
    const range = { offset: 0, length: MIB };
    assert.notEqual(spawnSync('setpriv', punchCommand(1, path, range)).status, 0);
    assert.ok((await readFile(path)).equals(Buffer.alloc(MIB, 1)));
    assert.equal(spawnSync('setpriv', punchCommand(process.pid, path, range)).status, 0);
    assert.ok((await readFile(path)).equals(Buffer.alloc(MIB)));
  });

  it('goes on where holes cannot be punched', async () => {
    const puncher = new HolePuncher(join(directory, 'not there'));
    for (let call = 0; call < 5; call += 1) await puncher.punch(0, 4096);
    assert.deepEqual(puncher.statistics, { calls: 3, bytes: 0, failures: 3 });
  });
});

function canPunch(directory: string): boolean {
  try {
    execFileSync('fallocate', ['-l', '8192', join(directory, 'punch')]);
    execFileSync('fallocate', ['-p', '-o', '0', '-l', '4096', join(directory, 'punch')]);
    return true;
  } catch {
    return false;
  }
}

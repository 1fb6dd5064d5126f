import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allocateAligned } from '../../../storage/device/aligned-memory.ts';
import { DeviceThreads } from '../../../storage/device/device-threads.ts';
import { DeviceError } from '../../../common/errors.ts';
import type { FileCall } from '../../../storage/device/file-io.ts';

describe('device threads', () => {
  let directory: string;
  let file: FileHandle;
  let threads: DeviceThreads;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flint-threads-'));
    file = await open(join(directory, 'disk'), constants.O_RDWR | constants.O_CREAT);
    threads = new DeviceThreads(2);
  });

  afterEach(async () => {
    await threads.close();
    await file.close();
    await rm(directory, { recursive: true });
  });

  /** The call, handed over as soon as a thread takes it. */
  async function run(call: Omit<FileCall, 'fd'>): Promise<void> {
    for (;;) {
      const running = threads.tryRun('disk', { ...call, fd: file.fd });
      if (running !== undefined) return running;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it('take nothing before one of them runs', () => {
    const call: FileCall = { operation: 'SYNC', fd: file.fd, position: 0, buffers: [] };
    assert.equal(threads.tryRun('disk', call), undefined);
  });

  it('write, read and sync lists of buffers in shared memory', async () => {
    const parts = [allocateAligned(4096).fill(1), allocateAligned(3_000_000).fill(2)];
    await run({ operation: 'WRITE_SYNC', position: 4096, buffers: parts });
    await run({ operation: 'SYNC', position: 0, buffers: [] });
    const into = [allocateAligned(8192), allocateAligned(3_000_000 - 4096)];
    await run({ operation: 'READ', position: 4096, buffers: into });
    assert.deepEqual(Buffer.concat(into), Buffer.concat(parts));
    const whole = await readFile(join(directory, 'disk'));
    assert.equal(whole.length, 4096 + 4096 + 3_000_000);
  });

  it('carry out many calls, more than they have slots, each once', async () => {
    const buffers = Array.from({ length: 64 }, (_, index) => allocateAligned(4096).fill(index + 1));
    await run({ operation: 'SYNC', position: 0, buffers: [] });
    let refused = 0;
    await Promise.all(
      buffers.map(async (buffer, index) => {
        const call: FileCall = {
          operation: 'WRITE',
          fd: file.fd,
          position: index * 4096,
          buffers: [buffer],
        };
        if (threads.tryRun('disk', call) === undefined) refused += 1;
        await run({ operation: 'WRITE', position: index * 4096, buffers: [buffer] });
      }),
    );
    assert.ok(refused > 0);
    const whole = await readFile(join(directory, 'disk'));
    for (const [index, buffer] of buffers.entries()) {
      assert.deepEqual(whole.subarray(index * 4096, (index + 1) * 4096), buffer);
    }
  });

  it('reach positions beyond 4 GiB', async () => {
    const position = 5 * 2 ** 30 + 4096;
    const bytes = allocateAligned(4096).fill(9);
    await run({ operation: 'WRITE', position, buffers: [bytes] });
    const into = Buffer.alloc(4096);
    await file.read(into, 0, 4096, position);
    assert.deepEqual(into, bytes);
  });

  it('report failures with the name of the system', async () => {
    const bytes = [allocateAligned(4096)];
    await assert.rejects(run({ operation: 'READ', position: 0, buffers: bytes }), {
      errno: 'EIO',
      message: /ends before/,
    });
    const bad = async (): Promise<void> => {
      await run({ operation: 'SYNC', position: 0, buffers: [] });
      await threads.tryRun('disk', { operation: 'WRITE', fd: 9999, position: 0, buffers: bytes });
    };
    await assert.rejects(bad, (error) => {
      assert.ok(error instanceof DeviceError);
      assert.equal(error.errno, 'EBADF');
      return true;
    });
  });

  it('take nothing more once closed', async () => {
    await run({ operation: 'SYNC', position: 0, buffers: [] });
    await threads.close();
    const call: FileCall = { operation: 'SYNC', fd: file.fd, position: 0, buffers: [] };
    assert.equal(threads.tryRun('disk', call), undefined);
  });
});

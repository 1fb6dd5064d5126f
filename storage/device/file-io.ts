/**
 * Runs one call on an open file: reads or writes a list of buffers whole, or makes them durable.
 *
 * The one place that knows about partial transfers and the system's error names. Two ways to run a call: blocking the
 * calling thread, or on libuv's pool; device-threads.ts is a third.
 */
import { fdatasync, fdatasyncSync, readv, readvSync, writev, writevSync } from 'node:fs';
import { promisify } from 'node:util';
import { DeviceError } from '../../common/errors.ts';

/** READ and WRITE move whole buffers; SYNC makes all earlier writes durable; WRITE_SYNC writes, then syncs. */
export type FileOperation = 'READ' | 'WRITE' | 'WRITE_SYNC' | 'SYNC';

export interface FileCall {
  readonly operation: FileOperation;
  readonly fd: number;
  /** Offset in the file, bytes. */
  readonly position: number;
  readonly buffers: readonly Buffer[];
}

const syncOnPool = promisify(fdatasync);

/** Runs a call on libuv's pool. @throws DeviceError (rejection) */
export async function runOnPool(name: string, call: FileCall): Promise<void> {
  try {
    if (call.operation !== 'SYNC') await transferOnPool(call);
    if (call.operation !== 'READ' && call.operation !== 'WRITE') await syncOnPool(call.fd);
  } catch (error) {
    throw asDeviceError(name, call.operation, error);
  }
}

/** Runs a call on this thread and blocks it. @throws DeviceError */
export function runBlocking(name: string, call: FileCall): void {
  try {
    if (call.operation !== 'SYNC') transferBlocking(call);
    if (call.operation !== 'READ' && call.operation !== 'WRITE') fdatasyncSync(call.fd);
  } catch (error) {
    throw asDeviceError(name, call.operation, error);
  }
}

/** Names a failure of the system for those above. Other errors pass as they are: they are bugs. */
export function asDeviceError(name: string, operation: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') {
    return error;
  }
  const errno = isNoSpaceCode(error.code) ? 'ENOSPC' : error.code;
  return new DeviceError(errno, `${name}: ${operation} failed: ${error.message}`, {
    cause: error,
  });
}

/** Whether the system says that there is no room: on the disk, within a quota, or within the largest size of a file. */
export function isNoSpaceCode(code: string): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}

async function transferOnPool(call: FileCall): Promise<void> {
  let { buffers, position } = call;
  while (buffers.length > 0) {
    const bytes = await transferOnce(call, buffers, position);
    buffers = remaining(call, buffers, bytes);
    position += bytes;
  }
}

function transferOnce(
  call: FileCall,
  buffers: readonly Buffer[],
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, bytes: number): void => {
      if (error === null) resolve(bytes);
      else reject(error);
    };
    if (call.operation === 'READ') readv(call.fd, buffers, position, done);
    else writev(call.fd, buffers, position, done);
  });
}

function transferBlocking(call: FileCall): void {
  let { buffers, position } = call;
  while (buffers.length > 0) {
    const bytes =
      call.operation === 'READ'
        ? readvSync(call.fd, buffers, position)
        : writevSync(call.fd, buffers, position);
    buffers = remaining(call, buffers, bytes);
    position += bytes;
  }
}

/** What is left of `buffers` after `bytes` of them were moved. */
function remaining(call: FileCall, buffers: readonly Buffer[], bytes: number): readonly Buffer[] {
  let left = bytes;
  let index = 0;
  for (; index < buffers.length; index += 1) {
    const length = buffers[index]?.length ?? 0;
    if (left < length) break;
    left -= length;
  }
  if (index === buffers.length) return [];
  // Zero bytes of a read is the end of the file: somebody cut it, for the device knows its size.
  if (bytes === 0) {
    const message =
      call.operation === 'READ' ? 'the file ends before the device does' : 'nothing was written';
    throw Object.assign(new Error(message), { code: 'EIO' });
  }
  return buffers.slice(index).map((buffer, at) => (at === 0 ? buffer.subarray(left) : buffer));
}

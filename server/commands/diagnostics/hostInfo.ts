/** hostInfo: the machine. */
import { cpus, machine, release, totalmem, type, version } from 'node:os';
import { defineCommand } from '../../command/define-command.ts';

const MEGABYTE = 1024 * 1024;

export const hostInfo = defineCommand({
  name: 'hostInfo',
  help: 'Describes the machine that the server runs on.',
  kind: 'admin',
  access: { action: 'hostInfo', on: 'cluster' },
  route: 'router',
  lenient: true,
  parse: () => undefined,
  execute: (_request, op) => op.service,
  reply: ({ identity, clock }) => {
    const memoryBytes = totalmem();
    const limitBytes = process.constrainedMemory() ?? 0;
    const cores = cpus();
    return {
      system: {
        currentTime: new Date(clock.wallMs()),
        hostname: identity.host,
        cpuAddrSize: 64,
        memSizeMB: BigInt(Math.floor(memoryBytes / MEGABYTE)),
        memLimitMB: BigInt(Math.floor(smaller(memoryBytes, limitBytes) / MEGABYTE)),
        numCores: cores.length,
        cpuArch: machine(),
        numaEnabled: false,
      },
      os: { type: type(), name: version(), version: release() },
      extra: {
        versionString: version(),
        cpuString: cores[0]?.model ?? '',
        cpuFrequencyMHz: String(cores[0]?.speed ?? 0),
      },
    };
  },
});

/** A limit of 0, or beyond the machine's memory, is none. */
function smaller(memoryBytes: number, limitBytes: number): number {
  return limitBytes > 0 && limitBytes < memoryBytes ? limitBytes : memoryBytes;
}

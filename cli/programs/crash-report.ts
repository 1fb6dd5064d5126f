/**
 * The file that a server leaves behind when it ends at a bug: `crash.<time>.json` in its data directory.
 *
 * Owns: what is in it. Promises: it is written at once and whole, before the process ends; whatever cannot be told is left
 * out, and nothing that fails here hides the failure that is reported. Never: holds documents; log lines of slow operations
 * show their commands, as the log does.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { arch, platform, release, totalmem } from 'node:os';
import { memoryUsage } from 'node:process';
import { systemClock } from '../../common/clock.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import type { FlintServer, RecentLog } from '../../server/index.ts';

const LOG_LINES = 200;

export class CrashReporter {
  private readonly dbPath: string;
  private readonly argv: readonly string[];
  private readonly recentLog: RecentLog;
  private server: FlintServer | undefined;

  constructor(options: {
    readonly dbPath: string;
    readonly argv: readonly string[];
    readonly recentLog: RecentLog;
  }) {
    this.dbPath = options.dbPath;
    this.argv = options.argv;
    this.recentLog = options.recentLog;
  }

  /** From now on the report tells what this server did. */
  watch(server: FlintServer): void {
    this.server = server;
  }

  /** @returns the file, or undefined when it could not be written. */
  write(message: string, error: unknown): string | undefined {
    const time = new Date(systemClock.wallMs()).toISOString();
    const path = join(this.dbPath, `crash.${time.replaceAll(':', '-')}.json`);
    const report = {
      time,
      message,
      stack: error instanceof Error ? (error.stack ?? error.message) : String(error),
      version: FLINTDB_VERSION,
      node: process.version,
      system: { platform: platform(), release: release(), arch: arch(), memoryBytes: totalmem() },
      uptimeSeconds: process.uptime(),
      argv: this.argv,
      memory: memoryUsage(),
      runningOperations: this.told((server) => runningOperations(server)),
      recentOperations: this.told((server) => server.service.recentOperations.newest),
      engine: this.told((server) => server.service.engine.statistics()),
      log: this.recentLog.lines.slice(-LOG_LINES),
    };
    try {
      // int64 counters are BigInt, which JSON does not know.
      writeFileSync(path, `${JSON.stringify(report, replaceBigInt, 2)}\n`, { mode: 0o600 });
      return path;
    } catch {
      return undefined;
    }
  }

  private told<T>(tell: (server: FlintServer) => T): T | string | undefined {
    if (this.server === undefined) return undefined;
    try {
      return tell(this.server);
    } catch (error) {
      return `could not be told: ${String(error)}`;
    }
  }
}

function runningOperations({ service }: FlintServer): unknown[] {
  const nowMs = service.clock.monotonicMs();
  return [...service.operations.all()].map((operation) => ({
    operationId: operation.operationId,
    command: operation.commandName,
    namespace: operation.namespace,
    connectionId: operation.connectionId,
    runningMs: nowMs - operation.startedMonotonicMs,
  }));
}

function replaceBigInt(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

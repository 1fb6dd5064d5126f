/**
 * Starts the generator and the responder as processes of their own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LoadOptions, LoadResult } from './load.ts';

/** Runs one load to its end. @throws Error with the generator's complaint. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const child = startScript('./generator.ts', [JSON.stringify(options)]);
  const line = await firstLine(child);
  if (line === undefined) throw new Error('the load generator ended without a result');
  const result: LoadResult = JSON.parse(line);
  return result;
}

export interface RunningResponder {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startResponder(): Promise<RunningResponder> {
  const child = startScript('./responder.ts', []);
  const line = await firstLine(child);
  const ready: { port: number } = JSON.parse(line ?? '');
  return {
    port: ready.port,
    pid: child.pid ?? 0,
    async stop() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}

function startScript(script: string, args: readonly string[]): ChildProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

async function firstLine(child: ChildProcess): Promise<string | undefined> {
  if (child.stdout === null) throw new Error('the child has no stdout');
  for await (const line of createInterface({ input: child.stdout })) return line;
  return undefined;
}

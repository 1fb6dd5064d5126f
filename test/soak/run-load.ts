/**
 * Runs the soak's load generator as a process of its own, and hands on what it says.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Interval, LoadOptions } from './interval.ts';

/** One interval per second, until the load is over. @throws Error when it failed; it has said why on stderr */
export async function* runLoad(options: LoadOptions): AsyncGenerator<Interval> {
  const script = fileURLToPath(new URL('./load.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
  } finally {
    child.kill();
  }
  const [code] = await exited;
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
}

/**
 * Critical sections that the config server has asked for, and ends: while a collection becomes a sharded one nobody writes to it.
 *
 * One that nobody ends (the config server was killed) ends by itself, and the next command reads what is true.
 */
import type { TimerWheel } from '../../common/timer-wheel.ts';
import type { CriticalSection } from './collection-state.ts';
import type { ShardingState } from './sharding-state.ts';

/** How long writers wait for a config server that says nothing. */
const LONGEST_MS = 30_000;

const preparations = new WeakMap<ShardingState, Map<string, () => void>>();

export function beginPreparation(
  state: ShardingState,
  namespace: string,
  { section, timers }: { readonly section: CriticalSection; readonly timers: TimerWheel },
): void {
  const running = preparations.get(state) ?? new Map<string, () => void>();
  preparations.set(state, running);
  const end = (): void => {
    deadline.cancel();
    running.delete(namespace);
    // Whether it is sharded by now is for the config server to say.
    state.forget(namespace);
    section.release();
  };
  const deadline = timers.after(LONGEST_MS, end);
  running.set(namespace, end);
}

/** Ends it, if there is one. */
export function endPreparation(state: ShardingState, namespace: string): void {
  preparations.get(state)?.get(namespace)?.();
}

/**
 * Listeners by event: what clients, cursors and sessions need of Node's EventEmitter, without Node.
 *
 * Behaves as Node's where they overlap: listeners run in order, synchronously, with the emitter as `this`; an 'error' that
 * nobody listens to is thrown.
 */
import type { Document } from 'bson';

/** What an event carries is the event's own: whoever listens knows it. */
export type Listener = (...args: Document[string][]) => void;

interface Entry {
  readonly listener: Listener;
  readonly once: boolean;
}

export class Emitter {
  readonly #entries = new Map<PropertyKey, Entry[]>();

  on(name: PropertyKey, listener: Listener): this {
    return this.#add(name, { listener, once: false });
  }

  addListener(name: PropertyKey, listener: Listener): this {
    return this.#add(name, { listener, once: false });
  }

  once(name: PropertyKey, listener: Listener): this {
    return this.#add(name, { listener, once: true });
  }

  off(name: PropertyKey, listener: Listener): this {
    const entries = this.#entries.get(name) ?? [];
    const index = entries.findLastIndex((entry) => entry.listener === listener);
    if (index !== -1) this.#entries.set(name, entries.toSpliced(index, 1));
    return this;
  }

  removeListener(name: PropertyKey, listener: Listener): this {
    return this.off(name, listener);
  }

  removeAllListeners(name?: PropertyKey): this {
    if (name === undefined) this.#entries.clear();
    else this.#entries.delete(name);
    return this;
  }

  /** @returns whether anybody listened. */
  emit(name: PropertyKey, ...args: unknown[]): boolean {
    const entries = this.#entries.get(name);
    if (entries === undefined || entries.length === 0) {
      if (name === 'error') throw args[0] instanceof Error ? args[0] : new Error(String(args[0]));
      return false;
    }
    for (const entry of entries) {
      if (entry.once) this.off(name, entry.listener);
      Reflect.apply(entry.listener, this, args);
    }
    return true;
  }

  listenerCount(name: PropertyKey): number {
    return this.#entries.get(name)?.length ?? 0;
  }

  listeners(name: PropertyKey): Listener[] {
    return (this.#entries.get(name) ?? []).map((entry) => entry.listener);
  }

  eventNames(): PropertyKey[] {
    return [...this.#entries].filter(([, entries]) => entries.length > 0).map(([name]) => name);
  }

  /** Kept for code that raises Node's limit; there is none here. */
  setMaxListeners(_count: number): this {
    return this;
  }

  #add(name: PropertyKey, entry: Entry): this {
    // A new array each time: listeners may come and go while the old one is being called.
    this.#entries.set(name, [...(this.#entries.get(name) ?? []), entry]);
    return this;
  }
}

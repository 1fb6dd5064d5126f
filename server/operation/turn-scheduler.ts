/**
 * Fair turns for long work: whoever has used its slice of time waits here, and one slice runs per turn of the event loop.
 *
 * Owns: a queue per connection and the order of the connections. A connection with a hundred scans gets as many slices as
 * one with a single scan; between two slices the event loop serves sockets, so short operations never wait for more
 * than one slice.
 * Promises: nobody waits for ever: connections are served in turn.
 */

type Wake = () => void;

export class TurnScheduler {
  /** Waiters by group; the Map's insertion order is the order of service. */
  private readonly groups = new Map<number, Wake[]>();
  private scheduled = false;

  /** @param group the connection's number; 0 for the server's own work. Resolves when the next slice may run. */
  turn(group: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.groups.get(group);
      if (waiting === undefined) this.groups.set(group, [resolve]);
      else waiting.push(resolve);
      if (!this.scheduled) this.schedule();
    });
  }

  private schedule(): void {
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.serveOne();
      if (this.groups.size > 0) this.schedule();
    });
  }

  private serveOne(): void {
    for (const [group, waiting] of this.groups) {
      this.groups.delete(group);
      const wake = waiting.shift();
      // Behind all others: its next slice comes after theirs.
      if (waiting.length > 0) this.groups.set(group, waiting);
      wake?.();
      return;
    }
  }
}

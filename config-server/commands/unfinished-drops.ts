/**
 * Goes on with drops that were interrupted: by a shard that was not there, or by the end of this server.
 *
 * Owns: the background work, once at a time, again and again until nothing is left. Invariant: a drop that cannot go on keeps no other
 * one from it.
 */
import { untilDone, type OperationContext } from '../../server/cluster.ts';
import { pendingDrops } from '../catalog/pending-drops.ts';
import type { ConfigServer, Unfinished } from '../config-server.ts';
import { carryOnDrop } from './dropCollection.ts';

export class UnfinishedDrops implements Unfinished {
  private readonly server: ConfigServer;
  private isWanted = false;
  private isRunning = false;
  private running: Promise<void> = Promise.resolve();

  constructor(server: ConfigServer) {
    this.server = server;
  }

  carryOn(): void {
    this.isWanted = true;
    if (this.isRunning) return;
    this.isRunning = true;
    this.running = untilDone(this.server.host, 'finishDrops', async (op) => {
      while (this.isWanted) {
        this.isWanted = false;
        try {
          await this.all(op);
        } catch (error) {
          this.isWanted = true;
          throw error;
        }
      }
      this.isRunning = false;
      return false;
    });
  }

  /** The server's operations have been interrupted. */
  async stop(): Promise<void> {
    await this.running;
  }

  private async all(op: OperationContext): Promise<void> {
    const failures: unknown[] = [];
    for (const drop of await pendingDrops(this.server, op)) {
      try {
        await carryOnDrop(this.server, op, drop);
      } catch (error) {
        if (op.reason !== undefined) throw error;
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

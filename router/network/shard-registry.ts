/**
 * The shards by name, as config.shards has them.
 *
 * Owns: a RemoteServer for each, which stays as long as its address does. Read again when a name is unknown, and by whoever asks all.
 */
import { documentOf, EMPTY_DOCUMENT } from '../../bson/index.ts';
import type { Clock } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import { shardFromDocument } from '../../server/cluster.ts';
import { parseHost } from './host.ts';
import { readAll } from './read-all.ts';
import { RemoteServer } from './remote-server.ts';

/** The config server under the name by which its own databases (config, admin) have a primary. */
export const CONFIG_SHARD = 'config';

export class ShardRegistry {
  readonly config: RemoteServer;
  private readonly clock: Clock;
  private readonly byName = new Map<string, RemoteServer>();

  constructor(config: RemoteServer, clock: Clock) {
    this.config = config;
    this.clock = clock;
  }

  /** @throws CommandError ShardNotFound; whatever keeps the config server from answering. */
  async get(name: string, interruption: Interruption): Promise<RemoteServer> {
    const known = this.tryGet(name);
    if (known !== undefined) return known;
    await this.refresh(interruption);
    const found = this.tryGet(name);
    if (found !== undefined) return found;
    throw new CommandError('ShardNotFound', `Shard ${name} not found`);
  }

  /** Of those that are known already. */
  tryGet(name: string): RemoteServer | undefined {
    return name === CONFIG_SHARD ? this.config : this.byName.get(name);
  }

  /** All shards of the cluster as it is now, by name. */
  async all(interruption: Interruption): Promise<readonly RemoteServer[]> {
    await this.refresh(interruption);
    return this.known();
  }

  /** All that were there when somebody last looked. */
  known(): readonly RemoteServer[] {
    return [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  close(): void {
    for (const shard of this.byName.values()) shard.close();
    this.config.close();
  }

  private async refresh(interruption: Interruption): Promise<void> {
    const documents = await readAll(this.config, interruption, {
      database: 'config',
      collection: 'shards',
      filter: EMPTY_DOCUMENT,
      sort: documentOf({ _id: 1 }),
    });
    const names = new Set<string>();
    for (const document of documents) {
      const { name, host } = shardFromDocument(document);
      names.add(name);
      this.keep(name, host);
    }
    for (const [name, shard] of this.byName) {
      if (names.has(name)) continue;
      this.byName.delete(name);
      shard.close();
    }
  }

  private keep(name: string, host: string): void {
    const address = parseHost(host);
    // Shards that are replica sets come with replica sets.
    if (address === undefined) return;
    const known = this.byName.get(name);
    if (known?.address.host === address.host && known.address.port === address.port) return;
    known?.close();
    this.byName.set(name, new RemoteServer(name, address, this.clock));
  }
}

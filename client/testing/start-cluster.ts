/**
 * startCluster: a config server, shards and routers on this machine, each a process of its own. `flint up` is built on it.
 *
 * Owns: the processes' order at start and end, and the shards' entry into the cluster. With a directory of the caller's the data stay, and
 * the same cluster comes up from it again, on the same ports; without one it is gone with this process.
 */
import { deserialize, serialize, type Document } from 'bson';
import { foregroundClock } from '../../common/clock.ts';
import { FLINTDB_VERSION } from '../../common/version.ts';
import { Connection } from '../../wire/index.ts';
import {
  ClusterDirectory,
  ClusterError,
  type ClusterMember,
  type MemberKind,
} from './cluster-directory.ts';
import { endMember, startMember, type StartMemberOptions } from './cluster-member.ts';
import { KILL_MEMBERS, leaveWill, REMOVE_DIRECTORY } from './last-will.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

export { ClusterError, type ClusterMember } from './cluster-directory.ts';

export interface StartClusterOptions {
  /** Default 2; of a directory that holds a cluster, what it has. */
  readonly shards?: number;
  /** Default 1; of a directory that holds a cluster, what it has. */
  readonly routers?: number;
  /** The caller's, which stays; absent: a temporary one. */
  readonly dir?: string;
  /** Of the first router; the others follow. Default: free ones. */
  readonly port?: number;
  /** Further arguments for all programs; a member that is started again alone gets them, too. */
  readonly args?: readonly string[];
  /** How long each may take until it is ready; default 20,000. */
  readonly startTimeoutMs?: number;
  /** The processes stay when this one ends. */
  readonly detached?: boolean;
}

const DEFAULT_SHARDS = 2;
const DEFAULT_ROUTERS = 1;
const DEFAULT_START_TIMEOUT_MS = 20_000;
const COMMAND_TIMEOUT_MS = 10_000;
const HOST = '127.0.0.1';

/** @throws ClusterError that says why, when it does not start: then nothing of it runs. */
export async function startCluster(options: StartClusterOptions = {}): Promise<Cluster> {
  const { dir, detached = false, args = [], startTimeoutMs } = options;
  const temporary = dir === undefined ? makeTemporaryDirectory() : undefined;
  const directory = new ClusterDirectory(dir ?? temporary ?? '');
  directory.create();
  const cluster = new Cluster(directory, {
    args,
    timeoutMs: startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS,
    isBound: !detached,
    isTemporary: temporary !== undefined,
  });
  const unlock = directory.lock();
  try {
    const known = directory.read();
    cluster.checkStopped();
    const members = known === undefined ? newMembers(options) : sameMembers(known, options);
    if (!detached) cluster.endWithUs();
    try {
      await cluster.startAll(members);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  } finally {
    unlock();
  }
}

/** A directory that becomes a cluster's without being started: the members' data first, then write(). */
export interface ClusterLayout {
  /** Where a member's data go; the directory is made. */
  data(name: string): string;
  /** From now on startCluster brings these members up. */
  write(members: readonly ClusterMember[]): void;
}

export function layOutCluster(dir: string): ClusterLayout {
  const directory = new ClusterDirectory(dir);
  return {
    data: (name) => directory.data(name),
    write: (members) => directory.write(members),
  };
}

/** The cluster in a directory, whatever runs of it. @throws ClusterError when there is none */
export function openCluster(dir: string): Cluster {
  const directory = new ClusterDirectory(dir);
  if (directory.read() === undefined) {
    throw new ClusterError(`${directory.path} holds no cluster: flint up starts one.`);
  }
  return new Cluster(directory, {
    args: directory.args,
    timeoutMs: DEFAULT_START_TIMEOUT_MS,
    isBound: false,
    isTemporary: false,
  });
}

/** A member as it is now. */
export interface MemberState extends ClusterMember {
  /** undefined: it does not run. */
  readonly pid: number | undefined;
  /** It left its pid behind without ending in order. */
  readonly hasStalePid: boolean;
  readonly logPath: string;
}

type ClusterSettings = Omit<StartMemberOptions, 'configHost'> & { readonly isTemporary: boolean };

export class Cluster {
  readonly #directory: ClusterDirectory;
  readonly #settings: ClusterSettings;
  #withdrawWill = (): void => {};

  /** Made by startCluster and openCluster. */
  constructor(directory: ClusterDirectory, settings: ClusterSettings) {
    this.#directory = directory;
    this.#settings = settings;
  }

  get dir(): string {
    return this.#directory.path;
  }

  /** For a client: all routers. */
  get uri(): string {
    const hosts = this.#all('router').map(({ port }) => `${HOST}:${port}`);
    return `mongodb://${hosts.join(',')}/`;
  }

  /** The connection string of one member. @throws ClusterError for a name that no member has */
  uriOf(name: string): string {
    return `mongodb://${HOST}:${this.#member(name).port}/`;
  }

  /** Config server, shards, routers. */
  get members(): readonly MemberState[] {
    return (this.#directory.read() ?? []).map((member) => {
      const pid = this.#directory.pidOf(member.name);
      return {
        ...member,
        pid: typeof pid === 'number' ? pid : undefined,
        hasStalePid: pid === 'stale',
        logPath: this.#directory.log(member.name),
      };
    });
  }

  /** Starts a member that does not run, on its port. @throws ClusterError */
  async start(name: string): Promise<void> {
    await this.#launch(this.#member(name));
  }

  /** Ends a member at once, as a crash would, or as another signal does. @returns whether it ran. @throws ClusterError */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<boolean> {
    return endMember(this.#directory, this.#member(name).name, signal);
  }

  /** Ends all members in order; a temporary directory goes with them. Idempotent. @returns how many ran. */
  async stop(): Promise<number> {
    let count = 0;
    for (const kind of ['router', 'shard', 'config'] as const) {
      const outcomes = await Promise.all(
        this.#all(kind).map(({ name }) => endMember(this.#directory, name, 'SIGTERM')),
      );
      count += outcomes.filter(Boolean).length;
    }
    if (this.#settings.isTemporary) this.#directory.remove();
    this.#withdrawWill();
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** @throws ClusterError when something of it runs already */
  checkStopped(): void {
    const running = this.members.filter(({ pid }) => pid !== undefined);
    if (running.length === 0) return;
    const names = running.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ');
    throw new ClusterError(
      `the cluster in ${this.dir} runs already: ${names}. flint down ends it, flint status shows it.`,
    );
  }

  /** For startCluster: nothing of it outlives this process, and a temporary directory does not either. */
  endWithUs(): void {
    const will = this.#settings.isTemporary ? `${KILL_MEMBERS}; ${REMOVE_DIRECTORY}` : KILL_MEMBERS;
    this.#withdrawWill = leaveWill(will, this.#directory.path);
  }

  /** For startCluster. @param members with port 0 where any free one will do */
  async startAll(members: readonly ClusterMember[]): Promise<void> {
    const isNew = this.#directory.read() === undefined || this.#directory.isUnfinished;
    // Known from now on: what runs when somebody ends this process can be seen, and ended.
    const { args } = this.#settings;
    this.#directory.write(members, { args, isUnfinished: isNew });
    const known = new Map(members.map((member) => [member.name, member]));
    const launch = async (member: ClusterMember, configPort: number): Promise<void> => {
      const port = await this.#launch(member, configPort);
      known.set(member.name, { ...member, port });
    };
    const [config] = members.filter(({ kind }) => kind === 'config');
    if (config === undefined) throw new ClusterError(`${this.dir} has no config server.`);
    const shards = members.filter(({ kind }) => kind === 'shard');
    const routers = members.filter(({ kind }) => kind === 'router');
    try {
      // Shards wait for nobody; routers want to know where the config server is, not that it runs.
      const starting = Promise.allSettled(shards.map((shard) => launch(shard, 0)));
      await launch(config, 0);
      const configPort = known.get(config.name)?.port ?? 0;
      const outcomes = await Promise.allSettled(
        routers.map((router) => launch(router, configPort)),
      );
      for (const outcome of [...(await starting), ...outcomes]) {
        if (outcome.status === 'rejected') throw outcome.reason;
      }
    } finally {
      this.#directory.write([...known.values()], { args, isUnfinished: isNew });
    }
    if (!isNew) return;
    await this.#addShards();
    this.#directory.write([...known.values()], { args });
  }

  async #addShards(): Promise<void> {
    const [router] = this.#all('router');
    const asked = router ?? this.#all('config')[0];
    if (asked === undefined) return;
    const name = router === undefined ? '_configsvrAddShard' : 'addShard';
    const connection = await Connection.connect({
      address: { host: HOST, port: asked.port },
      clock: foregroundClock,
      metadata: { driver: { name: 'flint', version: FLINTDB_VERSION } },
    });
    try {
      for (const shard of this.#all('shard')) {
        await run(connection, { [name]: `${HOST}:${shard.port}`, name: shard.name });
      }
    } finally {
      connection.close();
    }
  }

  async #launch(member: ClusterMember, configPort?: number): Promise<number> {
    const [config] = this.#all('config');
    const running = await startMember(this.#directory, member, {
      ...this.#settings,
      configHost: `${HOST}:${configPort ?? config?.port ?? 0}`,
    });
    return running.port;
  }

  #all(kind: MemberKind): readonly ClusterMember[] {
    return (this.#directory.read() ?? []).filter((member) => member.kind === kind);
  }

  #member(name: string): ClusterMember {
    const members = this.#directory.read() ?? [];
    const member = members.find((each) => each.name === name);
    if (member !== undefined) return member;
    const names = members.map((each) => each.name).join(', ');
    throw new ClusterError(`there is no '${name}' in this cluster; it has ${names}.`);
  }
}

async function run(connection: Connection, command: Document): Promise<Document> {
  const body = Buffer.from(serialize({ ...command, $db: 'admin' }));
  try {
    return deserialize(await connection.command(body, { timeoutMs: COMMAND_TIMEOUT_MS }));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ClusterError(`a shard could not be added: ${why}`);
  }
}

function newMembers(options: StartClusterOptions): readonly ClusterMember[] {
  const { shards = DEFAULT_SHARDS, routers = DEFAULT_ROUTERS, port = 0 } = options;
  if (shards < 1) throw new ClusterError('a cluster has at least one shard.');
  const numbered = (kind: MemberKind, count: number, portOf: (index: number) => number) =>
    Array.from({ length: count }, (_, index) => ({
      name: `${kind}${index + 1}`,
      kind,
      port: portOf(index),
    }));
  return [
    { name: 'config', kind: 'config', port: 0 },
    ...numbered('shard', shards, () => 0),
    ...numbered('router', routers, (index) => (port === 0 ? 0 : port + index)),
  ];
}

/** @throws ClusterError when something else is asked for than what is there */
function sameMembers(
  members: readonly ClusterMember[],
  { shards, routers, port }: StartClusterOptions,
): readonly ClusterMember[] {
  const count = (kind: MemberKind): number => members.filter((each) => each.kind === kind).length;
  for (const [what, wanted, there] of [
    ['shards', shards, count('shard')],
    ['routers', routers, count('router')],
  ] as const) {
    if (wanted === undefined || wanted === there) continue;
    throw new ClusterError(
      `the directory holds another cluster: it has ${there} ${what}, not ${wanted}. Give another directory with --dir.`,
    );
  }
  if (port === undefined) return members;
  let next = port - 1;
  return members.map((member) => {
    if (member.kind !== 'router') return member;
    next += 1;
    return { ...member, port: next };
  });
}

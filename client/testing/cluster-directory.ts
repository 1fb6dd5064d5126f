/**
 * The directory of a cluster: what stands in it, and which of its processes run.
 *
 * Owns: `cluster.json`, the list of members with their ports and the arguments that all were started with, `starting`, the pid of who starts them, and for each member a folder with `data/`, `pid`, `log` and `ready`. A pid
 * counts only while a process of that number runs from this very folder: a number that somebody else has by now is stale.
 */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

export type MemberKind = 'config' | 'shard' | 'router';

export interface ClusterMember {
  /** config, shard1, router1, … */
  readonly name: string;
  readonly kind: MemberKind;
  readonly port: number;
}

/** What else is known of a cluster's start. */
export interface ManifestDetails {
  readonly args?: readonly string[];
  /** It has never been whole: its shards are still to be added. */
  readonly isUnfinished?: boolean;
}

/** What is wrong with a cluster or its directory: a sentence for a person. */
export class ClusterError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ClusterError';
  }
}

const FORMAT = 1;
const MANIFEST = 'cluster.json';
const LOCK = 'starting';

export class ClusterDirectory {
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    // By whichever links somebody comes, the processes are found under one name.
    this.path = realPath(resolve(path));
  }

  /** undefined: there is no cluster in it. @throws ClusterError for one that cannot be read */
  read(): readonly ClusterMember[] | undefined {
    const file = join(this.path, MANIFEST);
    if (!existsSync(file)) return undefined;
    let content: unknown;
    try {
      content = JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      throw new ClusterError(`${file} is damaged: it is no JSON.`);
    }
    const members = membersOf(content);
    if (members === undefined) {
      throw new ClusterError(`${file} is of another version of FlintDB, or of another program.`);
    }
    return members;
  }

  /** Makes it a cluster's. @throws ClusterError when something else is in it. */
  create(): void {
    const isTaken = existsSync(this.path) && readdirSync(this.path).length > 0;
    if (isTaken && ![MANIFEST, LOCK].some((name) => existsSync(join(this.path, name)))) {
      throw new ClusterError(
        `${this.path} is not empty and holds no cluster: give another directory with --dir.`,
      );
    }
    mkdirSync(this.path, { recursive: true });
  }

  write(
    members: readonly ClusterMember[],
    { args = [], isUnfinished }: ManifestDetails = {},
  ): void {
    const content = {
      format: FORMAT,
      members,
      ...(args.length > 0 ? { args } : {}),
      ...(isUnfinished === true ? { isUnfinished } : {}),
    };
    writeFileSync(join(this.path, MANIFEST), `${JSON.stringify(content, undefined, 2)}\n`);
  }

  /** Whether a start was interrupted before the cluster was whole. */
  get isUnfinished(): boolean {
    return this.detail('isUnfinished') === true;
  }

  /** What all programs were given at the last start of the whole, besides their places. */
  get args(): readonly string[] {
    const args = this.detail('args');
    return Array.isArray(args) ? args.map(String) : [];
  }

  private detail(name: keyof ManifestDetails): unknown {
    const file = join(this.path, MANIFEST);
    if (!existsSync(file)) return undefined;
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof content === 'object' && content !== null ? Reflect.get(content, name) : undefined;
  }

  /** One start at a time. @returns ends it. @throws ClusterError while another process starts this cluster */
  lock(): () => void {
    const file = join(this.path, LOCK);
    for (;;) {
      if (tryWrite(file, `${process.pid}\n`)) return () => rmSync(file, { force: true });
      const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : NaN;
      if (isAlive(pid)) {
        throw new ClusterError(
          `the cluster in ${this.path} is being started by another process (pid ${pid}).`,
        );
      }
      rmSync(file, { force: true });
    }
  }

  /** Of a member: its own folder, made when it is not there. */
  folder(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  data(name: string): string {
    const path = join(this.folder(name), 'data');
    mkdirSync(path, { recursive: true });
    return path;
  }

  log(name: string): string {
    return join(this.folder(name), 'log');
  }

  /** What the program prints when it is ready. */
  ready(name: string): string {
    return join(this.folder(name), 'ready');
  }

  keepPid(name: string, pid: number): void {
    const file = join(this.folder(name), 'pid');
    writeFileSync(`${file}.${process.pid}`, `${pid}\n`);
    renameSync(`${file}.${process.pid}`, file);
  }

  forgetPid(name: string): void {
    rmSync(join(this.folder(name), 'pid'), { force: true });
  }

  /** The pid of the running process; 'stale' for a number that is no process of this member any more. */
  pidOf(name: string): number | 'stale' | undefined {
    const file = join(this.path, name, 'pid');
    if (!existsSync(file)) return undefined;
    const pid = Number(readFileSync(file, 'utf8').trim());
    if (!Number.isSafeInteger(pid) || pid <= 0) return 'stale';
    return isMember(pid, join(this.path, name)) ? pid : 'stale';
  }

  /** Whether a process that was a member's still is one: a server takes its pid file away before it has quite ended. */
  isRunning(name: string, pid: number): boolean {
    return isMember(pid, join(this.path, name));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Every member names its pid file on its command line. */
function isMember(pid: number, folder: string): boolean {
  if (!isAlive(pid)) return false;
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes(`${folder}/pid`);
  } catch {
    // No such place to look on this system: a living process of that number has to do.
    return !existsSync('/proc/self');
  }
}

/** The whole file or nothing. @returns false when it is there already */
function tryWrite(file: string, text: string): boolean {
  const prepared = `${file}.${process.pid}`;
  writeFileSync(prepared, text);
  try {
    linkSync(prepared, file);
    return true;
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(prepared, { force: true });
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process lives all the same.
    return error instanceof Error && Reflect.get(error, 'code') === 'EPERM';
  }
}

/** Also of what is not there yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}

function membersOf(content: unknown): readonly ClusterMember[] | undefined {
  if (typeof content !== 'object' || content === null) return undefined;
  if (Reflect.get(content, 'format') !== FORMAT) return undefined;
  const members: unknown = Reflect.get(content, 'members');
  if (!Array.isArray(members) || !members.every(isMemberEntry)) return undefined;
  return members;
}

function isMemberEntry(value: unknown): value is ClusterMember {
  if (typeof value !== 'object' || value === null) return false;
  const kind: unknown = Reflect.get(value, 'kind');
  return (
    typeof Reflect.get(value, 'name') === 'string' &&
    typeof Reflect.get(value, 'port') === 'number' &&
    (kind === 'config' || kind === 'shard' || kind === 'router')
  );
}

/**
 * Starts the programs of bin/ as child processes, for integration and crash tests and for benchmarks.
 *
 * Owns: the child processes and their temporary directories. None outlives this process: what is still running at its
 * exit is killed, what is still there is removed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface ProgramOptions {
  /** A file of bin/; default flintd. */
  readonly program?: string;
  /** Besides --dbpath and --port. */
  readonly args?: readonly string[];
  /** The caller's own directory, which stays; absent: a fresh temporary one, removed by dispose. */
  readonly dbpath?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Starts again on the port of its first start: others know it. */
  readonly keepsPort?: boolean;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The file `cgroup.procs` of a control group that the program joins before it starts. */
  readonly cgroupProcesses?: string;
  /** How long the ready line may take; default 20,000. */
  readonly readyTimeoutMs?: number;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const PROJECT_ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEFAULT_READY_TIMEOUT_MS = 20_000;
/** Of what the program printed, the last so many characters are kept for messages. */
const KEPT_OUTPUT = 64 * 1024;

/** Joins the control group named first, then becomes the program. */
const JOIN_GROUP = 'echo $$ > "$1" && shift && exec "$@"';

const running = new Set<ChildProcess>();
const temporaryDirectories = new Set<string>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const directory of temporaryDirectories) rmSync(directory, { recursive: true, force: true });
});

/** A fresh directory, removed at the end of this process at the latest. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(process.env['FLINT_TEST_DIR'] ?? tmpdir(), 'flint-'));
  temporaryDirectories.add(directory);
  return directory;
}

export function removeTemporaryDirectory(directory: string): void {
  temporaryDirectories.delete(directory);
  rmSync(directory, { recursive: true, force: true });
}

/** A server program on a data directory: started, stopped, killed and started again as the test says. */
export class Program {
  readonly dbpath: string;
  private readonly options: ProgramOptions;
  private readonly ownsDirectory: boolean;
  private child: ChildProcess | undefined;
  private exited: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  private printed = '';
  private ready: ReadyLine | undefined;
  private firstPort: number | undefined;

  /** Resolves when the program says that it is ready. @throws Error with what it printed, if it ends or is too slow. */
  static async start(options: ProgramOptions = {}): Promise<Program> {
    const program = new Program(options);
    try {
      await program.launch();
    } catch (error) {
      await program.dispose();
      throw error;
    }
    return program;
  }

  private constructor(options: ProgramOptions) {
    this.options = options;
    this.ownsDirectory = options.dbpath === undefined;
    this.dbpath = options.dbpath ?? temporaryDirectory();
  }

  /** Of the last start. */
  get port(): number {
    return this.readyLine.port;
  }

  /** Of the process that serves. */
  get pid(): number {
    return this.readyLine.pid ?? this.child?.pid ?? 0;
  }

  get uri(): string {
    return `mongodb://127.0.0.1:${this.port}/`;
  }

  get isRunning(): boolean {
    return this.child !== undefined;
  }

  /** The end of what it printed on stdout and stderr, all starts together. */
  get output(): string {
    return this.printed;
  }

  /** The JSON object of the ready line. */
  get readyLine(): ReadyLine {
    if (this.ready === undefined) throw new Error('the program is not running');
    return this.ready;
  }

  /** Asks it to end (SIGTERM, or another signal) and waits until it has. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.child?.kill(signal);
    return this.exited;
  }

  /** Ends it as a crash would: SIGKILL. */
  kill(): Promise<Exit> {
    return this.stop('SIGKILL');
  }

  /** Sends a signal and waits for nothing: SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Waits until it ends by itself. */
  waitForExit(): Promise<Exit> {
    return this.exited;
  }

  /** Starts it again on the same directory, when it has ended; `args` replace those of the start. */
  async restart(args: readonly string[] = this.options.args ?? []): Promise<void> {
    await this.exited;
    await this.launch(args);
  }

  /** Kills what still runs and removes the temporary directory. */
  async dispose(): Promise<void> {
    await this.kill();
    if (this.ownsDirectory) removeTemporaryDirectory(this.dbpath);
  }

  private async launch(args: readonly string[] = this.options.args ?? []): Promise<void> {
    const { program = 'flintd', keepsPort = false, env = {} } = this.options;
    const port = this.options.port ?? (keepsPort ? this.firstPort : undefined) ?? 0;
    const path = join(PROJECT_ROOT, 'bin', program);
    // By its own first line, as people start it: what it tells libc and V8 there counts.
    // A router keeps nothing.
    const data = program === 'flints' ? [] : ['--dbpath', this.dbpath];
    const arguments_ = [path, ...data, '--port', String(port), ...args];
    const { cgroupProcesses } = this.options;
    const [command, ...rest] =
      cgroupProcesses === undefined
        ? arguments_
        : ['sh', '-c', JOIN_GROUP, 'sh', cgroupProcesses, ...arguments_];
    const child = spawn(command, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.child = child;
    running.add(child);
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        running.delete(child);
        this.child = undefined;
        this.ready = undefined;
        resolve({ code, signal });
      });
    });
    this.ready = await this.waitForReadyLine(child);
    this.firstPort ??= this.ready.port;
  }

  private waitForReadyLine(child: ChildProcess): Promise<ReadyLine> {
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error('the program has no output');
    return new Promise((resolve, reject) => {
      const limitMs = this.options.readyTimeoutMs ?? DEFAULT_READY_TIMEOUT_MS;
      const fail = (what: string): void => {
        reject(new Error(`${what}; it printed:\n${this.printed}`));
      };
      const timer = setTimeout(() => fail(`the program was not ready in ${limitMs} ms`), limitMs);
      const lines = createInterface({ input: stdout });
      lines.on('line', (line) => {
        this.keep(`${line}\n`);
        const ready = parseReadyLine(line);
        if (ready === undefined) return;
        clearTimeout(timer);
        resolve(ready);
      });
      stderr.on('data', (text: Buffer) => this.keep(text.toString()));
      child.once('error', (error) => fail(error.message));
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        fail(`the program ended (${signal ?? code}) before it was ready`);
      });
    });
  }

  private keep(text: string): void {
    this.printed = (this.printed + text).slice(-KEPT_OUTPUT);
  }
}

/** What a program that ended by itself has printed. */
export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of bin/ with exactly these arguments until it ends: for what is refused, and for --help. */
export function runToEnd(
  args: readonly string[],
  options: { readonly program?: string; readonly timeoutMs?: number } = {},
): Promise<Finished> {
  const { program = 'flintd', timeoutMs = DEFAULT_READY_TIMEOUT_MS } = options;
  const child = spawn(process.execPath, [join(PROJECT_ROOT, 'bin', program), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new Error(`${program} did not end in ${timeoutMs} ms; it printed:\n${stdout}${stderr}`),
      );
    }, timeoutMs);
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, signal, stdout, stderr });
    });
  });
}

/** What a program prints when it is ready: one line with a JSON object that has at least its port. */
export interface ReadyLine {
  readonly port: number;
  readonly pid?: number;
}

/** @returns undefined for any other line, log lines included: those have no port of their own. */
function parseReadyLine(line: string): ReadyLine | undefined {
  if (!line.startsWith('{') || !line.includes('"port"')) return undefined;
  try {
    const parsed: Partial<ReadyLine> = JSON.parse(line);
    const { port } = parsed;
    return typeof port === 'number' ? { ...parsed, port } : undefined;
  } catch {
    return undefined;
  }
}

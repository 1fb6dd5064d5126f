/**
 * Server parameters: what getParameter shows and setParameter changes.
 *
 * Owns: one table (name, kind of value, default, when it may be set, what it does here) and the current values.
 * A parameter of MongoDB that would have no effect here is not in the table: setting it is refused by name.
 */
import { CommandError } from '../../common/errors.ts';

export type ParameterValue = boolean | number | string;

interface Parameter {
  readonly name: string;
  readonly initial: ParameterValue;
  readonly setAtStartup: boolean;
  readonly setAtRuntime: boolean;
  /** Smallest and largest number allowed. */
  readonly range?: readonly [number, number];
  readonly help: string;
}

const PARAMETERS = [
  {
    name: 'acceptApiVersion2',
    initial: false,
    setAtStartup: true,
    setAtRuntime: false,
    help: 'Accepts version 2 of the stable API, which holds one test command. For tests of drivers.',
  },
  {
    name: 'backupIdleTimeoutMillis',
    initial: 600_000,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Milliseconds without a request after which an open backup is closed, and what it holds is let go.',
  },
  {
    name: 'connectionHandshakeTimeoutMillis',
    initial: 30_000,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Milliseconds within which a new connection must have sent its first message.',
  },
  {
    name: 'connectionIdleTimeoutMillis',
    initial: 3_600_000,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Milliseconds without a request after which a connection is closed.',
  },
  {
    name: 'cursorTimeoutMillis',
    initial: 600_000,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Milliseconds after which an idle cursor is closed.',
  },
  {
    name: 'diagnosticDataCollectionDirectorySizeMB',
    initial: 250,
    setAtStartup: true,
    setAtRuntime: true,
    range: [10, 2 ** 31 - 1],
    help: 'Megabytes that diagnostic.data may take; its oldest files go first.',
  },
  {
    name: 'diagnosticDataCollectionEnabled',
    initial: true,
    setAtStartup: true,
    setAtRuntime: true,
    help: 'Keeps the counters of the server over time in diagnostic.data.',
  },
  {
    name: 'diagnosticDataCollectionFileSizeMB',
    initial: 10,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Megabytes of one file of diagnostic.data.',
  },
  {
    name: 'diagnosticDataCollectionPeriodMillis',
    initial: 1000,
    setAtStartup: true,
    setAtRuntime: true,
    range: [100, 2 ** 31 - 1],
    help: 'Milliseconds between two samples of diagnostic.data.',
  },
  {
    name: 'enableTestCommands',
    initial: false,
    setAtStartup: true,
    setAtRuntime: false,
    help: 'Allows configureFailPoint and the other commands for tests. --testing sets it.',
  },
  {
    name: 'internalQueryForceIntersectionPlans',
    initial: false,
    setAtStartup: true,
    setAtRuntime: true,
    help: 'Intersects indexes wherever two serve a filter, whether it pays or not. For tests.',
  },
  {
    name: 'internalQueryJavaScriptFnTimeoutMillis',
    initial: 60_000,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Milliseconds that one call of a JavaScript function may take.',
  },
  {
    name: 'internalQueryPlannerEnableIndexIntersection',
    initial: true,
    setAtStartup: true,
    setAtRuntime: true,
    help: 'Plans may read two indexes for one filter, and only the documents that both lead to.',
  },
  {
    name: 'jsHeapLimitMB',
    initial: 128,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 1024],
    help: 'MiB of heap that the JavaScript of one operation may use.',
  },
  {
    name: 'localLogicalSessionTimeoutMinutes',
    initial: 30,
    setAtStartup: true,
    setAtRuntime: false,
    range: [1, 2 ** 20],
    help: 'Minutes after which an unused session ends.',
  },
  {
    name: 'maxSessions',
    initial: 1_000_000,
    setAtStartup: true,
    setAtRuntime: false,
    range: [1, 2 ** 31 - 1],
    help: 'Most logical sessions at a time.',
  },
  {
    name: 'notablescan',
    initial: false,
    setAtStartup: true,
    setAtRuntime: true,
    help: 'Refuses queries that would have to read a whole collection.',
  },
  {
    name: 'orphanCleanupDelaySecs',
    initial: 0,
    setAtStartup: true,
    setAtRuntime: true,
    range: [0, 2 ** 31 - 1],
    help: 'Seconds for which a shard keeps documents that a migration has taken away, unless somebody waits for their removal; readers that began before are waited for besides.',
  },
  {
    name: 'partialMessageTimeoutMillis',
    initial: 30_000,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Milliseconds within which the rest of a message, or 64 KiB more of it, must arrive.',
  },
  {
    name: 'quiet',
    initial: false,
    setAtStartup: true,
    setAtRuntime: true,
    help: 'Logs no line for connections that open and close.',
  },
  {
    name: 'requireApiVersion',
    initial: false,
    setAtStartup: true,
    setAtRuntime: true,
    help: 'Refuses commands that name no version of the stable API.',
  },
  {
    name: 'scrubEnabled',
    initial: true,
    setAtStartup: true,
    setAtRuntime: true,
    help: 'Reads all data on the disk in the background, and compares documents with indexes.',
  },
  {
    name: 'scrubIntervalSecs',
    initial: 86_400,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Seconds from the start, and between two passes of the scrub.',
  },
  {
    name: 'scrubMegabytesPerSecond',
    initial: 8,
    setAtStartup: true,
    setAtRuntime: true,
    range: [0.1, 100_000],
    help: 'Megabytes a second that the scrub reads at most.',
  },
  {
    name: 'strictStandalone',
    initial: false,
    setAtStartup: true,
    setAtRuntime: false,
    help: 'Refuses what MongoDB refuses on a server outside a replica set.',
  },
  {
    name: 'ttlMonitorEnabled',
    initial: true,
    setAtStartup: true,
    setAtRuntime: true,
    help: 'Deletes what TTL indexes and clustered collections name as expired.',
  },
  {
    name: 'ttlMonitorSleepSecs',
    initial: 60,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Seconds between two passes over what has expired.',
  },
  {
    name: 'unreadReplyTimeoutMillis',
    initial: 30_000,
    setAtStartup: true,
    setAtRuntime: true,
    range: [1, 2 ** 31 - 1],
    help: 'Milliseconds within which a client must take 256 KiB of the replies that wait for it.',
  },
] as const satisfies readonly Parameter[];

export type ParameterName = (typeof PARAMETERS)[number]['name'];
type Widened<Value> = Value extends boolean ? boolean : Value extends number ? number : string;
type ValueOf<Name extends ParameterName> = Widened<
  Extract<(typeof PARAMETERS)[number], { name: Name }>['initial']
>;

export class ParameterSet {
  private readonly values = new Map<string, ParameterValue>(
    PARAMETERS.map((parameter) => [parameter.name, parameter.initial]),
  );

  /** The value of a parameter that the server itself asks for. */
  get<Name extends ParameterName>(name: Name): ValueOf<Name>;
  get(name: ParameterName): ParameterValue | undefined {
    return this.values.get(name);
  }

  /** The value under any name; undefined for an unknown one. */
  lookUp(name: string): ParameterValue | undefined {
    return this.values.get(name);
  }

  all(): readonly Parameter[] {
    return PARAMETERS;
  }

  /**
   * Whether a parameter may be changed at this time.
   * @throws CommandError InvalidOptions for an unknown name, IllegalOperation at the wrong time
   */
  check(name: string, when: 'startup' | 'runtime'): void {
    this.settable(name, when);
  }

  /**
   * Changes a parameter. @returns the value before.
   * @throws CommandError InvalidOptions for an unknown name, IllegalOperation at the wrong time, TypeMismatch, BadValue.
   */
  set(name: string, value: unknown, when: 'startup' | 'runtime'): ParameterValue {
    const parameter = this.settable(name, when);
    const before = this.values.get(name) ?? parameter.initial;
    this.values.set(name, coerce(parameter, value));
    return before;
  }

  private settable(name: string, when: 'startup' | 'runtime'): Parameter {
    const parameter: Parameter | undefined = PARAMETERS.find((each) => each.name === name);
    if (parameter === undefined) {
      throw new CommandError(
        'InvalidOptions',
        `attempted to set unrecognized parameter [${name}], use help:true to see options `,
      );
    }
    if (when === 'startup' ? parameter.setAtStartup : parameter.setAtRuntime) return parameter;
    throw new CommandError(
      'IllegalOperation',
      `not allowed to change [${name}] at ${when === 'startup' ? 'startup' : 'runtime'}`,
    );
  }
}

/** Text is read as the parameter's own kind: the command line has nothing else. */
function coerce(parameter: Parameter, value: unknown): ParameterValue {
  if (typeof parameter.initial === 'boolean') return toBoolean(parameter, value);
  if (typeof parameter.initial === 'number') return toNumber(parameter, value);
  if (typeof value === 'string') return value;
  throw wrongType(parameter, 'a string');
}

function toBoolean(parameter: Parameter, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw wrongType(parameter, 'a boolean');
}

function toNumber(parameter: Parameter, value: unknown): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || Number.isNaN(number)) throw wrongType(parameter, 'a number');
  const [lowest, highest] = parameter.range ?? [-Infinity, Infinity];
  if (number < lowest) {
    throw new CommandError(
      'BadValue',
      `Invalid value for parameter ${parameter.name}: ${number} is not greater than or equal to ${lowest}`,
    );
  }
  if (number > highest) {
    throw new CommandError(
      'BadValue',
      `Invalid value for parameter ${parameter.name}: ${number} is not less than or equal to ${highest}`,
    );
  }
  return number;
}

function wrongType(parameter: Parameter, expected: string): CommandError {
  return new CommandError(
    'BadValue',
    `Invalid value for parameter ${parameter.name}: expected ${expected}`,
  );
}

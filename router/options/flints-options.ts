/**
 * flints' options: flintd's for everything that a router has as well, and where the config server is.
 *
 * Flags and YAML keys are mongos' where mongos has the thing.
 */
import {
  FLINTD_OPTIONS,
  flintdOptionsFrom,
  UsageError,
  type FlintdOptions,
  type GivenOptions,
  type OptionDefinition,
} from '../../server/index.ts';
import { parseHost } from '../network/host.ts';

/** What a router has in common with a server that keeps data. */
const SHARED: ReadonlySet<string> = new Set([
  'help',
  'version',
  'config',
  'setParameter',
  'pidfilepath',
  'noauth',
  'port',
  'bind_ip',
  'bind_ip_all',
  'ipv6',
  'maxConns',
  'networkMessageCompressors',
  'nounixsocket',
  'logpath',
  'logappend',
  'logRotate',
  'destination',
  'quiet',
  'slowms',
  'noscripting',
  'javascriptEnabled',
  'testing',
]);

export const FLINTS_OPTIONS: readonly OptionDefinition[] = [
  {
    flag: 'configdb',
    yaml: 'sharding.configDB',
    type: 'string',
    value: '<host:port>',
    group: 'Sharding',
    help: 'The config server of the cluster. Required.',
  },
  ...FLINTD_OPTIONS.filter(({ flag, refused }) => SHARED.has(flag) || refused !== undefined),
];

export interface FlintsOptions {
  /** host:port */
  readonly configHost: string;
  /** What it has in common with flintd; nothing in it speaks of data. */
  readonly server: FlintdOptions;
}

/** @throws UsageError */
export function flintsOptionsFrom(given: GivenOptions): FlintsOptions {
  const configHost = given.get('configdb');
  if (typeof configHost !== 'string') {
    throw new UsageError('--configdb is required: the host and port of the config server.');
  }
  if (parseHost(configHost) === undefined) {
    throw new UsageError(
      `--configdb: '${configHost}' is not of the form host:port (config servers are no replica sets yet).`,
    );
  }
  const shared = new Map([...given].filter(([flag]) => flag !== 'configdb'));
  return { configHost, server: { ...flintdOptionsFrom(shared), inMemory: true } };
}

/**
 * mongodb+srv://: the hosts, and a few options, that DNS lists for a name.
 * Source: driver specification "Initial DNS Seedlist Discovery".
 */
import { resolveSrv, resolveTxt } from 'node:dns/promises';
import { systemRandom } from '../../../common/random.ts';
import { MongoParseError, MongoRuntimeError } from '../../errors/driver-errors.ts';
import { HostAddress } from '../../options/connection-string.ts';

export interface SrvAnswer {
  readonly hosts: readonly HostAddress[];
  /** The TXT record, as the query of a connection string; empty when there is none. */
  readonly options: string;
}

/** @throws MongoParseError for records that are not allowed, the resolver's errors. */
export async function resolveSrvHost(
  host: string,
  settings: { readonly serviceName: string; readonly maxHosts: number },
): Promise<SrvAnswer> {
  const records = await resolveSrv(`_${settings.serviceName}._tcp.${host}`);
  if (records.length === 0) throw new MongoRuntimeError('No addresses found at host');
  for (const { name } of records) checkDomain(name, host);
  const hosts = records.map(({ name, port }) => HostAddress.fromHostPort(name, port));
  return { hosts: chosen(hosts, settings.maxHosts), options: await optionsOf(host) };
}

/** A record may only name hosts of the domain that was asked for: anything else could be somebody else's server. */
function checkDomain(name: string, host: string): void {
  const labels = host.split('.');
  const domain = labels.length < 3 ? `.${host}` : `.${labels.slice(1).join('.')}`;
  const isBelow = `.${name.replace(/\.$/, '')}`.endsWith(domain);
  if (!isBelow || (labels.length < 3 && name.split('.').length <= labels.length)) {
    throw new MongoRuntimeError('Server record does not share hostname with parent URI');
  }
}

function chosen(hosts: HostAddress[], most: number): readonly HostAddress[] {
  if (most === 0 || hosts.length <= most) return hosts;
  const rest = [...hosts];
  return Array.from({ length: most }, () => rest.splice(systemRandom.below(rest.length), 1)).flat();
}

const ALLOWED = new Set(['authsource', 'replicaset', 'loadbalanced']);

async function optionsOf(host: string): Promise<string> {
  let records: string[][];
  try {
    records = await resolveTxt(host);
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
    if (code === 'ENODATA' || code === 'ENOTFOUND') return '';
    throw error;
  }
  if (records.length > 1) throw new MongoParseError('Multiple text records not allowed');
  const text = records[0]?.join('') ?? '';
  for (const [name, value] of new URLSearchParams(text)) {
    if (!ALLOWED.has(name.toLowerCase())) {
      throw new MongoParseError(
        'Text record may only set any of: authSource, replicaSet, loadBalanced',
      );
    }
    if (value === '') throw new MongoParseError('Cannot have empty URI params in DNS TXT Record');
  }
  return text;
}

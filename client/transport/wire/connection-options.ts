/**
 * How to open connections to a server, from the client's settings: address, TLS, compression, who we are.
 */
import { readFileSync } from 'node:fs';
import type { Document } from 'bson';
import type { Clock } from '../../../common/clock.ts';
import { FLINTDB_VERSION } from '../../../common/version.ts';
import { isCompressorName, type Address, type ConnectOptions } from '../../../wire/index.ts';
import type { HostAddress } from '../../options/connection-string.ts';
import { NODE_TLS_OPTIONS } from '../../options/option-table.ts';
import type { ClientSettings } from '../../options/parse-options.ts';

type TlsOptions = NonNullable<ConnectOptions['tls']>;

/** Fits every server: the address alone differs. Reads the files of TLS, so it may throw the system's errors. */
export function connectionOptionsFor(
  settings: ClientSettings,
  clock: Clock,
): (host: HostAddress) => ConnectOptions {
  const { all, serverApi, credentials } = settings;
  const tls = all['tls'] === true ? tlsOptions(all) : undefined;
  const names: readonly string[] = all['compressors'] ?? [];
  const base: Omit<ConnectOptions, 'address'> = {
    clock,
    metadata: {
      driver: { name: driverName(all['driverInfo']), version: FLINTDB_VERSION },
      ...(all['appName'] === undefined ? {} : { application: all['appName'] }),
    },
    compressors: names.filter(isCompressorName),
    connectTimeoutMs: all['connectTimeoutMS'] > 0 ? all['connectTimeoutMS'] : Infinity,
    handshake: {
      ...(serverApi === undefined
        ? {}
        : {
            apiVersion: serverApi.version,
            ...(serverApi.strict === undefined ? {} : { apiStrict: serverApi.strict }),
            ...(serverApi.deprecationErrors === undefined
              ? {}
              : { apiDeprecationErrors: serverApi.deprecationErrors }),
          }),
      ...(credentials?.mechanism === 'DEFAULT'
        ? { saslSupportedMechs: `${credentials.source}.${credentials.username}` }
        : {}),
    },
  };
  return (host) => {
    const address = addressOf(host);
    if (tls === undefined) return { ...base, address };
    // Server names of TLS are names: an address is not sent as one.
    const isName = host.host !== undefined && !/^[\d.]+$|:/.test(host.host);
    return {
      ...base,
      address,
      tls: isName && tls.servername === undefined ? { ...tls, servername: host.host ?? '' } : tls,
    };
  };
}

function driverName(info: Document | undefined): string {
  const wrapper: unknown = info?.['name'];
  return typeof wrapper === 'string' ? `flintdb|${wrapper}` : 'flintdb';
}

function addressOf(host: HostAddress): Address {
  if (host.socketPath !== undefined) return { path: host.socketPath };
  return { host: host.host ?? 'localhost', port: host.port ?? 27_017 };
}

function tlsOptions(all: Document): TlsOptions {
  const options: Document = {};
  for (const name of NODE_TLS_OPTIONS) if (all[name] !== undefined) options[name] = all[name];
  if (all['tlsCAFile'] !== undefined) options['ca'] ??= readFileSync(all['tlsCAFile']);
  if (all['tlsCRLFile'] !== undefined) options['crl'] ??= readFileSync(all['tlsCRLFile']);
  if (all['tlsCertificateKeyFile'] !== undefined) {
    const file = readFileSync(all['tlsCertificateKeyFile']);
    options['cert'] ??= file;
    options['key'] ??= file;
  }
  if (all['tlsCertificateKeyFilePassword'] !== undefined) {
    options['passphrase'] ??= all['tlsCertificateKeyFilePassword'];
  }
  const anyCertificate = all['tlsInsecure'] === true || all['tlsAllowInvalidCertificates'] === true;
  const anyName = all['tlsInsecure'] === true || all['tlsAllowInvalidHostnames'] === true;
  if (anyCertificate) options['rejectUnauthorized'] = false;
  if (anyName) options['checkServerIdentity'] ??= () => undefined;
  return options;
}

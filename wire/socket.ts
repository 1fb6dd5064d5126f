/**
 * Opens the asking side's socket: TCP, TLS over TCP, or a Unix domain socket.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import { formatAddress, type Address } from './address.ts';
import { watchLimits, type WaitLimits } from './deadline.ts';
import { asNetworkError, NetworkTimeoutError } from './network-errors.ts';

export interface OpenSocketOptions extends WaitLimits {
  readonly address: Address;
  /** TLS with these options; absent: plain. */
  readonly tls?: TlsOptions | undefined;
}

/**
 * Resolves when the socket can be written to (after the TLS handshake, certificate checked).
 * @throws NetworkError, NetworkTimeoutError, or the interruption's reason. No open socket stays behind then.
 */
export function openSocket(options: OpenSocketOptions): Promise<Socket> {
  const peer = formatAddress(options.address);
  return new Promise((resolve, reject) => {
    options.interruption?.throwIfInterrupted();
    const socket = startConnecting(options);
    const fail = (error: Error): void => {
      unwatch();
      socket.destroy();
      reject(error);
    };
    const timedOut = (): Error =>
      new NetworkTimeoutError(`cannot connect to ${peer}: timed out after ${options.timeoutMs} ms`);
    const unwatch = watchLimits(options, timedOut, fail);
    // Stays for the socket's whole life: an error without any listener would end the process.
    socket.on('error', (error) => fail(asNetworkError(error, `cannot connect to ${peer}`)));
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => {
      unwatch();
      resolve(socket);
    });
  });
}

/** A peer that vanished without a word is found out by probes after this much silence. Source: MongoDB's drivers. */
const KEEP_ALIVE_AFTER_MS = 120_000;

function startConnecting(options: OpenSocketOptions): Socket {
  const target =
    'path' in options.address
      ? { path: options.address.path }
      : {
          host: options.address.host,
          port: options.address.port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
        };
  return options.tls === undefined ? connectTcp(target) : connectTls({ ...options.tls, ...target });
}

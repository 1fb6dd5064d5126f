/**
 * What operations, cursors, databases and collections need of the client behind them.
 */
import type { Clock } from '../../common/clock.ts';
import type { ClientSettings } from '../options/parse-options.ts';
import type {
  ClientSession,
  ClientSessionOptions,
  ClusterTime,
  SessionOwner,
} from '../sessions/client-session.ts';
import type { Limits, Transport } from '../transport/contract.ts';

export interface OpenCursor {
  close(options: { timeoutMS?: number }): Promise<void>;
}

export interface ClientContext extends SessionOwner {
  readonly settings: ClientSettings;
  readonly clock: Clock;
  /** The latest cluster time that any server told. */
  clusterTime: ClusterTime | undefined;
  /** Connects if that has not happened. */
  transport(limits: Limits): Promise<Transport>;
  /** Those that the server has open for this client: they end with it. */
  readonly openCursors: Set<OpenCursor>;
  /** Whether command events are wanted by anybody. */
  readonly observesCommands: boolean;
  emit(name: string, event: object): boolean;
  startSession(options?: ClientSessionOptions): ClientSession;
  startImplicitSession(): ClientSession;
}

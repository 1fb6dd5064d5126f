/**
 * What an operation knows of the connection that it came in on.
 */
import type { Principal } from '../auth/principal.ts';

export interface ClientConnection {
  /** Number of the connection, from 1; never used twice within one run of the server. */
  readonly id: number;
  /** "address:port" of the other end, for replies and logs. */
  readonly remote: string;
  readonly principal: Principal;
  /** A client's turns of the event loop are no background work. */
  readonly background?: false;
  /** The `client` document of the first hello, raw; undefined before it, or when the client sent none. */
  metadata: Buffer | undefined;
  /** `client.application.name` of that document. */
  appName: string | undefined;
  /** True once a first hello has been answered: metadata cannot change any more. */
  handshakeDone: boolean;
  /** Names of the compressors both ends know, in the server's order of preference; set by hello. */
  compressors: readonly string[];
  /** Ends the connection at once, without a reply to what is under way. */
  abort(why: string): void;
}

/**
 * Keeps web pages away from a server that is meant for programs: a browser on this machine reaches the loopback address for any
 * page that it shows.
 *
 * Promises: a request is let through only if its Host is one that this server goes by (a foreign name that resolves to this
 * machine is DNS rebinding), and its Origin, if it has one, is the server's own or configured.
 * Source: Fetch standard, "CORS protocol"; W3C, "Fetch Metadata Request Headers".
 */
import { isIP } from 'node:net';
import { HttpRefusal } from './problem.ts';

export interface GuardOptions {
  /** Origins whose pages may call, such as https://app.example. */
  readonly allowedOrigins: readonly string[];
  /** Names by which the server is reached, beside localhost and addresses; '*' is any. */
  readonly allowedHosts: readonly string[];
}

export interface RequestHead {
  readonly method: string;
  header(name: string): string | undefined;
}

/** Seconds for which a browser keeps a preflight's answer. */
const PREFLIGHT_SECONDS = '600';

export class Guard {
  private readonly origins: ReadonlySet<string>;
  private readonly hosts: ReadonlySet<string>;

  constructor({ allowedOrigins, allowedHosts }: GuardOptions) {
    this.origins = new Set(allowedOrigins);
    this.hosts = new Set(allowedHosts.map((host) => host.toLowerCase()));
  }

  /**
   * @returns headers for the answer: a configured origin's page may read it.
   * @throws HttpRefusal 421 for a host that is not this server's, 403 for an origin that may not call.
   */
  check(head: RequestHead): Readonly<Record<string, string>> {
    const host = head.header('host') ?? '';
    if (!this.knowsHost(host)) {
      throw new HttpRefusal(
        421,
        `This server does not go by the name '${host.slice(0, 255)}'. Name it with --httpAllowedHosts if it should.`,
      );
    }
    const origin = head.header('origin');
    if (origin === undefined) {
      this.checkSite(head);
      return {};
    }
    if (this.origins.has(origin)) return corsHeaders(origin);
    if (isSameOrigin(origin, host)) return {};
    throw new HttpRefusal(
      403,
      `Pages of the origin '${origin.slice(0, 255)}' may not call this server. Name it with --httpAllowedOrigins if they should.`,
    );
  }

  /** What a browser asks before it lets a page of another origin call; only configured ones get here. */
  preflightHeaders(head: RequestHead): Readonly<Record<string, string>> {
    return {
      'Access-Control-Allow-Methods': 'GET, POST',
      'Access-Control-Allow-Headers': 'Content-Type, Accept',
      'Access-Control-Max-Age': PREFLIGHT_SECONDS,
      ...(head.header('access-control-request-private-network') === 'true'
        ? { 'Access-Control-Allow-Private-Network': 'true' }
        : {}),
    };
  }

  /** Images and scripts of a foreign page come without an Origin, but not without this. */
  private checkSite(head: RequestHead): void {
    const site = head.header('sec-fetch-site');
    if (site === undefined || site === 'none' || site === 'same-origin') return;
    throw new HttpRefusal(403, 'Pages of other origins may not load anything from this server.');
  }

  private knowsHost(host: string): boolean {
    const name = hostNameOf(host);
    if (name === undefined) return false;
    // Behind an address there is no name that somebody could point elsewhere.
    if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
    return this.hosts.has(name) || this.hosts.has('*');
  }
}

function corsHeaders(origin: string): Record<string, string> {
  return { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' };
}

/** In lower case, without port, brackets and the root's dot; undefined: no host at all. */
function hostNameOf(host: string): string | undefined {
  const match = /^(?:\[([\da-f:.]+)\]|([a-z\d._-]+))(?::\d{1,5})?$/i.exec(host);
  const name = match?.[1] ?? match?.[2];
  return name?.toLowerCase().replace(/\.$/, '');
}

function isSameOrigin(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

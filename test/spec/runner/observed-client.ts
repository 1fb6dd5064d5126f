/**
 * A client entity: a MongoClient with the events and log messages that its definition asks for.
 *
 * Owns: the client, what it has observed, and the count of its connections in use.
 */
import { MongoClient, type Document, type MongoClientOptions } from 'mongodb';
import { MalformedCaseError } from './format.ts';

export type EventKind = 'command' | 'cmap' | 'sdam';

export interface ObservedEvent {
  /** As the format calls it: commandStartedEvent. */
  readonly name: string;
  readonly kind: EventKind;
  /** The driver's event. */
  readonly event: Document;
}

/** The driver's name and kind of each event of the format. */
export const EVENTS: Readonly<Record<string, { emitted: string; kind: EventKind }>> = {
  commandStartedEvent: { emitted: 'commandStarted', kind: 'command' },
  commandSucceededEvent: { emitted: 'commandSucceeded', kind: 'command' },
  commandFailedEvent: { emitted: 'commandFailed', kind: 'command' },
  poolCreatedEvent: { emitted: 'connectionPoolCreated', kind: 'cmap' },
  poolReadyEvent: { emitted: 'connectionPoolReady', kind: 'cmap' },
  poolClearedEvent: { emitted: 'connectionPoolCleared', kind: 'cmap' },
  poolClosedEvent: { emitted: 'connectionPoolClosed', kind: 'cmap' },
  connectionCreatedEvent: { emitted: 'connectionCreated', kind: 'cmap' },
  connectionReadyEvent: { emitted: 'connectionReady', kind: 'cmap' },
  connectionClosedEvent: { emitted: 'connectionClosed', kind: 'cmap' },
  connectionCheckOutStartedEvent: { emitted: 'connectionCheckOutStarted', kind: 'cmap' },
  connectionCheckOutFailedEvent: { emitted: 'connectionCheckOutFailed', kind: 'cmap' },
  connectionCheckedOutEvent: { emitted: 'connectionCheckedOut', kind: 'cmap' },
  connectionCheckedInEvent: { emitted: 'connectionCheckedIn', kind: 'cmap' },
  serverDescriptionChangedEvent: { emitted: 'serverDescriptionChanged', kind: 'sdam' },
  topologyDescriptionChangedEvent: { emitted: 'topologyDescriptionChanged', kind: 'sdam' },
  topologyOpeningEvent: { emitted: 'topologyOpening', kind: 'sdam' },
  topologyClosedEvent: { emitted: 'topologyClosed', kind: 'sdam' },
  serverHeartbeatStartedEvent: { emitted: 'serverHeartbeatStarted', kind: 'sdam' },
  serverHeartbeatSucceededEvent: { emitted: 'serverHeartbeatSucceeded', kind: 'sdam' },
  serverHeartbeatFailedEvent: { emitted: 'serverHeartbeatFailed', kind: 'sdam' },
};

/** Security of command monitoring: their content is redacted, and they are not observed unless asked for. */
const SENSITIVE = new Set([
  'authenticate',
  'saslStart',
  'saslContinue',
  'getnonce',
  'createUser',
  'updateUser',
  'copydbgetnonce',
  'copydbsaslstart',
  'copydb',
]);
/** Sensitive while they carry a speculative authentication: their content is empty then. */
const HANDSHAKES = new Set(['hello', 'ismaster', 'isMaster']);

/**
 * Heartbeats after a failure come soon, so that a case need not wait half a second for each. And no answer of a monitor is
 * awaited for ten seconds, as by default: until then a server that answered with a state change stays unknown to its client.
 */
const FASTEST_HEARTBEAT_MS = 50;
const HEARTBEAT_MS = 500;

/** The driver's own switch for its tests: connecting takes no connection out of the pool, which a case would see. */
const QUIET_CONNECT: Document = { __skipPingOnConnect: true };

export class ObservedClient {
  readonly client: MongoClient;
  readonly events: ObservedEvent[] = [];
  readonly logMessages: Document[] = [];
  /** Connections in use. */
  checkedOut = 0;
  private readonly ignored: ReadonlySet<string>;
  private readonly observesSensitive: boolean;
  private readonly definition: Document;
  private ready = 0;

  /** @param definition the client entity of a case. @throws MalformedCaseError when the driver refuses its options. */
  constructor(uri: string, definition: Document) {
    this.definition = definition;
    this.observesSensitive = definition['observeSensitiveCommands'] === true;
    const ignored: readonly string[] = definition['ignoreCommandMonitoringEvents'] ?? [];
    this.ignored = new Set(['configureFailPoint', ...ignored]);
    this.client = this.createClient(uri);
    // Names of events are data here: the driver's typed overloads cannot know them.
    const emitter: NodeJS.EventEmitter = this.client;
    emitter.on('connectionCheckedOut', () => (this.checkedOut += 1));
    emitter.on('connectionCheckedIn', () => (this.checkedOut -= 1));
    emitter.on('connectionReady', () => (this.ready += 1));
    for (const name of this.observedNames()) this.observe(emitter, name);
  }

  /** Connects, and waits for the pool's first connections when the definition says how long. */
  async open(): Promise<void> {
    await this.client.connect();
    const waitMs: number | undefined = this.definition['awaitMinPoolSizeMS'];
    if (waitMs === undefined) return;
    const wanted = Number(this.definition['uriOptions']?.['minPoolSize'] ?? 0);
    const deadline = performance.now() + waitMs;
    while (this.ready < wanted) {
      if (performance.now() > deadline) {
        throw new Error(`the pool did not reach ${wanted} connections within ${waitMs} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.events.length = 0;
    this.logMessages.length = 0;
  }

  eventsOf(kind: EventKind): ObservedEvent[] {
    return this.events.filter((each) => each.kind === kind);
  }

  private createClient(uri: string): MongoClient {
    const { uriOptions, serverApi } = this.definition;
    const options: MongoClientOptions = {
      ...QUIET_CONNECT,
      monitorCommands: true,
      minHeartbeatFrequencyMS: FASTEST_HEARTBEAT_MS,
      ...(uriOptions?.['heartbeatFrequencyMS'] === undefined
        ? { heartbeatFrequencyMS: HEARTBEAT_MS }
        : {}),
      ...(serverApi === undefined ? {} : { serverApi }),
      ...this.logOptions(),
    };
    try {
      return new MongoClient(withOptions(uri, uriOptions), options);
    } catch (error) {
      throw new MalformedCaseError(`the client's options are refused: ${String(error)}`);
    }
  }

  private logOptions(): MongoClientOptions {
    const components: Document | undefined = this.definition['observeLogMessages'];
    if (components === undefined) return {};
    return {
      mongodbLogComponentSeverities: components,
      mongodbLogMaxDocumentLength: 1_250,
      mongodbLogPath: { write: (message: Document) => this.logMessages.push({ ...message }) },
    };
  }

  private observedNames(): readonly string[] {
    return this.definition['observeEvents'] ?? [];
  }

  private observe(emitter: NodeJS.EventEmitter, name: string): void {
    const known = EVENTS[name];
    if (known === undefined) throw new MalformedCaseError(`unknown event ${name}`);
    const { emitted, kind } = known;
    emitter.on(emitted, (event: Document) => {
      if (kind !== 'command' || this.isObserved(event)) this.events.push({ name, kind, event });
    });
  }

  private isObserved(event: Document): boolean {
    const command = String(event['commandName']);
    if (this.ignored.has(command)) return false;
    if (this.observesSensitive) return true;
    if (SENSITIVE.has(command)) return false;
    const content: Document = event['command'] ?? event['reply'] ?? { content: true };
    return !HANDSHAKES.has(command) || Object.keys(content).length > 0;
  }
}

function withOptions(uri: string, options: Document | undefined): string {
  if (options === undefined) return uri;
  const query = Object.entries(options).map(
    ([name, value]) => `${name}=${encodeURIComponent(String(value))}`,
  );
  return `${uri}?${query.join('&')}`;
}

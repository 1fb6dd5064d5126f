/**
 * Events of commands. Source: driver specification "Command Logging and Monitoring".
 */
import type { Document, ObjectId } from 'bson';

/** What is the same in all three events of a command. */
export interface CommandLabel {
  readonly address: string;
  readonly connectionId: string | number;
  readonly serverConnectionId: bigint | null;
  readonly requestId: number;
  readonly commandName: string;
  readonly databaseName: string;
}

abstract class CommandEvent {
  readonly address: string;
  readonly connectionId: string | number;
  readonly serverConnectionId: bigint | null;
  readonly requestId: number;
  readonly commandName: string;
  readonly databaseName: string;
  /** Of load balancers, which this client does not speak to. */
  readonly serviceId?: ObjectId;

  constructor(label: CommandLabel) {
    this.address = label.address;
    this.connectionId = label.connectionId;
    this.serverConnectionId = label.serverConnectionId;
    this.requestId = label.requestId;
    this.commandName = label.commandName;
    this.databaseName = label.databaseName;
  }

  get hasServiceId(): boolean {
    return this.serviceId !== undefined;
  }
}

/** A command leaves for its server. */
export class CommandStartedEvent extends CommandEvent {
  readonly command: Document;

  constructor(label: CommandLabel, command: Document) {
    super(label);
    this.command = command;
  }
}

/** A reply came that says ok. */
export class CommandSucceededEvent extends CommandEvent {
  readonly reply: Document | undefined;
  /** Milliseconds. */
  readonly duration: number;

  constructor(label: CommandLabel, reply: Document | undefined, duration: number) {
    super(label);
    this.reply = reply;
    this.duration = duration;
  }
}

/** A reply came that says otherwise, or none. */
export class CommandFailedEvent extends CommandEvent {
  readonly failure: Error;
  /** Milliseconds. */
  readonly duration: number;

  constructor(label: CommandLabel, failure: Error, duration: number) {
    super(label);
    this.failure = failure;
    this.duration = duration;
  }
}

const SECRET = new Set([
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

/** Commands whose content no event may show. */
export function isSecret(commandName: string, command: Document): boolean {
  return SECRET.has(commandName) || command['speculativeAuthenticate'] !== undefined;
}

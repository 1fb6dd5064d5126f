/**
 * Events of connection pools. Source: driver specification "Connection Monitoring and Pooling".
 */
import type { Document } from 'bson';
import type { MongoError } from '../errors/mongo-error.ts';

type Fields<Event> = Omit<Event, 'time'>;

/** What all of them say. */
export class ConnectionPoolMonitoringEvent {
  readonly time: Date;
  /** host:port of the server. */
  readonly address: string;

  constructor(fields: { readonly address: string }) {
    this.time = new Date();
    this.address = fields.address;
  }
}

/** A pool was made. */
export class ConnectionPoolCreatedEvent extends ConnectionPoolMonitoringEvent {
  readonly options: Document;

  constructor(fields: Fields<ConnectionPoolCreatedEvent>) {
    super(fields);
    this.options = fields.options;
  }
}

/** A pool may open connections: its server is known. */
export class ConnectionPoolReadyEvent extends ConnectionPoolMonitoringEvent {}

/** A pool was closed. */
export class ConnectionPoolClosedEvent extends ConnectionPoolMonitoringEvent {}

/** All connections of a pool became outdated. */
export class ConnectionPoolClearedEvent extends ConnectionPoolMonitoringEvent {
  readonly interruptInUseConnections: boolean;

  constructor(fields: Fields<ConnectionPoolClearedEvent>) {
    super(fields);
    this.interruptInUseConnections = fields.interruptInUseConnections;
  }
}

/** A connection is being opened. */
export class ConnectionCreatedEvent extends ConnectionPoolMonitoringEvent {
  readonly connectionId: number;

  constructor(fields: Fields<ConnectionCreatedEvent>) {
    super(fields);
    this.connectionId = fields.connectionId;
  }
}

/** A connection has shaken hands and can be lent. */
export class ConnectionReadyEvent extends ConnectionPoolMonitoringEvent {
  readonly connectionId: number;
  readonly durationMS: number;

  constructor(fields: Fields<ConnectionReadyEvent>) {
    super(fields);
    this.connectionId = fields.connectionId;
    this.durationMS = fields.durationMS;
  }
}

/** A connection has ended. */
export class ConnectionClosedEvent extends ConnectionPoolMonitoringEvent {
  readonly connectionId: number;
  readonly reason: 'idle' | 'stale' | 'poolClosed' | 'error';
  readonly error: MongoError | null;

  constructor(fields: Fields<ConnectionClosedEvent>) {
    super(fields);
    this.connectionId = fields.connectionId;
    this.reason = fields.reason;
    this.error = fields.error;
  }
}

/** An operation asks for a connection. */
export class ConnectionCheckOutStartedEvent extends ConnectionPoolMonitoringEvent {}

/** An operation got no connection. */
export class ConnectionCheckOutFailedEvent extends ConnectionPoolMonitoringEvent {
  readonly reason: 'timeout' | 'connectionError' | 'poolClosed';
  readonly error: MongoError | undefined;
  readonly durationMS: number;

  constructor(fields: Fields<ConnectionCheckOutFailedEvent>) {
    super(fields);
    this.reason = fields.reason;
    this.error = fields.error;
    this.durationMS = fields.durationMS;
  }
}

/** An operation got a connection. */
export class ConnectionCheckedOutEvent extends ConnectionPoolMonitoringEvent {
  readonly connectionId: number;
  readonly durationMS: number;

  constructor(fields: Fields<ConnectionCheckedOutEvent>) {
    super(fields);
    this.connectionId = fields.connectionId;
    this.durationMS = fields.durationMS;
  }
}

/** An operation gave its connection back. */
export class ConnectionCheckedInEvent extends ConnectionPoolMonitoringEvent {
  readonly connectionId: number;

  constructor(fields: Fields<ConnectionCheckedInEvent>) {
    super(fields);
    this.connectionId = fields.connectionId;
  }
}

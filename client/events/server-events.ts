/**
 * Events of servers and of the deployment as a whole. Source: driver specification "SDAM Monitoring".
 */
import type { Document } from 'bson';

type Fields<Event> = Event;

/** A server begins to be watched. */
export class ServerOpeningEvent {
  readonly topologyId: number;
  readonly address: string;

  constructor(fields: Fields<ServerOpeningEvent>) {
    this.topologyId = fields.topologyId;
    this.address = fields.address;
  }
}

/** A server is watched no more. */
export class ServerClosedEvent {
  readonly topologyId: number;
  readonly address: string;

  constructor(fields: Fields<ServerClosedEvent>) {
    this.topologyId = fields.topologyId;
    this.address = fields.address;
  }
}

/** Something else is known of a server. */
export class ServerDescriptionChangedEvent {
  readonly topologyId: number;
  readonly address: string;
  readonly previousDescription: Document;
  readonly newDescription: Document;

  constructor(fields: Fields<ServerDescriptionChangedEvent>) {
    this.topologyId = fields.topologyId;
    this.address = fields.address;
    this.previousDescription = fields.previousDescription;
    this.newDescription = fields.newDescription;
  }
}

/** A client begins to look for its servers. */
export class TopologyOpeningEvent {
  readonly topologyId: number;

  constructor(fields: Fields<TopologyOpeningEvent>) {
    this.topologyId = fields.topologyId;
  }
}

/** A client was closed. */
export class TopologyClosedEvent {
  readonly topologyId: number;

  constructor(fields: Fields<TopologyClosedEvent>) {
    this.topologyId = fields.topologyId;
  }
}

/** Something else is known of the deployment. */
export class TopologyDescriptionChangedEvent {
  readonly topologyId: number;
  readonly previousDescription: Document;
  readonly newDescription: Document;

  constructor(fields: Fields<TopologyDescriptionChangedEvent>) {
    this.topologyId = fields.topologyId;
    this.previousDescription = fields.previousDescription;
    this.newDescription = fields.newDescription;
  }
}

/** A server is asked how it is. */
export class ServerHeartbeatStartedEvent {
  readonly connectionId: string;
  readonly awaited: boolean;

  constructor(fields: Fields<ServerHeartbeatStartedEvent>) {
    this.connectionId = fields.connectionId;
    this.awaited = fields.awaited;
  }
}

/** A server said how it is. */
export class ServerHeartbeatSucceededEvent {
  readonly connectionId: string;
  readonly awaited: boolean;
  readonly duration: number;
  readonly reply: Document;

  constructor(fields: Fields<ServerHeartbeatSucceededEvent>) {
    this.connectionId = fields.connectionId;
    this.awaited = fields.awaited;
    this.duration = fields.duration;
    this.reply = fields.reply;
  }
}

/** A server did not say how it is. */
export class ServerHeartbeatFailedEvent {
  readonly connectionId: string;
  readonly awaited: boolean;
  readonly duration: number;
  readonly failure: Error;

  constructor(fields: Fields<ServerHeartbeatFailedEvent>) {
    this.connectionId = fields.connectionId;
    this.awaited = fields.awaited;
    this.duration = fields.duration;
    this.failure = fields.failure;
  }
}

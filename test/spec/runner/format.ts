/**
 * The Unified Test Format in types: what a file of MongoDB's driver specifications says.
 *
 * Files are checked against the format's own JSON schema before they get these types (load.ts).
 * Source: mongodb/specifications, unified-test-format.
 */
import type { Document } from 'mongodb';

export interface RunOnRequirement {
  readonly minServerVersion?: string;
  readonly maxServerVersion?: string;
  readonly topologies?: readonly string[];
  readonly serverless?: 'require' | 'forbid' | 'allow';
  readonly serverParameters?: Document;
  readonly auth?: boolean;
  readonly authMechanism?: string;
  readonly csfle?: boolean | Document;
}

export interface CollectionData {
  readonly collectionName: string;
  readonly databaseName: string;
  readonly createOptions?: Document;
  readonly documents: readonly Document[];
}

export interface ExpectedError {
  readonly isError?: true;
  readonly isClientError?: boolean;
  readonly isTimeoutError?: boolean;
  readonly errorContains?: string;
  readonly errorCode?: number;
  readonly errorCodeName?: string;
  readonly errorLabelsContain?: readonly string[];
  readonly errorLabelsOmit?: readonly string[];
  readonly writeErrors?: Document;
  readonly writeConcernErrors?: readonly Document[];
  readonly errorResponse?: Document;
  readonly expectResult?: unknown;
}

export interface Operation {
  readonly name: string;
  readonly object: string;
  readonly arguments?: Document;
  readonly ignoreResultAndError?: boolean;
  readonly expectError?: ExpectedError;
  readonly expectResult?: unknown;
  readonly saveResultAsEntity?: string;
}

/** One key: the name of the event. */
export type ExpectedEvent = Readonly<Record<string, Document>>;

export interface ExpectedEvents {
  readonly client: string;
  readonly eventType?: 'command' | 'cmap' | 'sdam';
  readonly events: readonly ExpectedEvent[];
  readonly ignoreExtraEvents?: boolean;
}

export interface ExpectedLogMessage {
  readonly level: string;
  readonly component: string;
  readonly data: Document;
  readonly failureIsRedacted?: boolean;
}

export interface ExpectedLogMessages {
  readonly client: string;
  readonly messages: readonly ExpectedLogMessage[];
  readonly ignoreExtraMessages?: boolean;
  readonly ignoreMessages?: readonly ExpectedLogMessage[];
}

export interface TestCase {
  readonly description: string;
  readonly runOnRequirements?: readonly RunOnRequirement[];
  readonly skipReason?: string;
  readonly operations: readonly Operation[];
  readonly expectEvents?: readonly ExpectedEvents[];
  readonly expectLogMessages?: readonly ExpectedLogMessages[];
  readonly outcome?: readonly CollectionData[];
}

/** One key: the kind of entity. */
export type EntityDefinition = Readonly<Record<string, Document>>;

export interface TestFile {
  readonly description: string;
  readonly schemaVersion: string;
  readonly runOnRequirements?: readonly RunOnRequirement[];
  readonly createEntities?: readonly EntityDefinition[];
  readonly initialData?: readonly CollectionData[];
  readonly tests: readonly TestCase[];
}

/**
 * The case itself is wrong: an operation, an argument or an entity that does not exist. Never taken for an error of the
 * operation, so that `ignoreResultAndError` and `expectError` do not hide it.
 */
export class MalformedCaseError extends Error {}

/** The case is right, and what it expects did not happen. */
export class ExpectationError extends Error {}

/**
 * The `client` document of a handshake: who is calling.
 * Source: driver specification "MongoDB Handshake"; limits as in MongoDB 8.0.
 */
import { CommandError, type ErrorCodeName } from '../../../common/errors.ts';
import { getField, type RawValue } from '../../../bson/index.ts';
import type { ClientConnection } from '../../operation/client-connection.ts';

const MAX_METADATA_BYTES = 512;
const MAX_APP_NAME_BYTES = 128;

/** Keeps the document with the connection. @throws CommandError when it is incomplete, too large, or a second one. */
export function acceptClientMetadata(connection: ClientConnection, metadata: Buffer): void {
  if (connection.metadata !== undefined || connection.handshakeDone) {
    throw new CommandError(
      'ClientMetadataCannotBeMutated',
      'The client metadata document may only be sent in the first hello',
    );
  }
  if (metadata.length > MAX_METADATA_BYTES) {
    throw new CommandError(
      'ClientMetadataDocumentTooLarge',
      `The client metadata document must be less then or equal to ${MAX_METADATA_BYTES} bytes`,
    );
  }
  const driver = required(metadata, 'driver');
  required(driver, 'name', 'string', 'driver');
  required(driver, 'version', 'string', 'driver');
  required(required(metadata, 'os'), 'type', 'string', 'os');
  connection.appName = appNameOf(metadata);
  connection.metadata = Buffer.from(metadata);
}

function appNameOf(metadata: Buffer): string | undefined {
  const application = getField(metadata, 'application');
  if (application === undefined) return undefined;
  const name = getField(asDocument(application, 'application'), 'name');
  if (name === undefined) return undefined;
  const text = asText(name, 'application.name');
  if (Buffer.byteLength(text) <= MAX_APP_NAME_BYTES) return text;
  throw new CommandError(
    'ClientMetadataAppNameTooLarge',
    `The 'application.name' field must be less then or equal to ${MAX_APP_NAME_BYTES} bytes in the client metadata document`,
  );
}

function required(document: Buffer, name: string): Buffer;
function required(document: Buffer, name: string, type: 'string', parent: string): string;
function required(
  document: Buffer,
  name: string,
  type: 'string' | 'object' = 'object',
  parent?: string,
): Buffer | string {
  const path = parent === undefined ? name : `${parent}.${name}`;
  const value = getField(document, name);
  if (value === undefined) {
    throw problem(
      'ClientMetadataMissingField',
      `Missing required field '${path}' in the client metadata document`,
    );
  }
  return type === 'string' ? asText(value, path) : asDocument(value, path);
}

function asText(value: RawValue, path: string): string {
  if (value.typeName === 'string') return value.asString();
  throw problem(
    'TypeMismatch',
    `The '${path}' field must be a string in the client metadata document`,
  );
}

function asDocument(value: RawValue, path: string): Buffer {
  if (value.typeName === 'object') return value.asDocument();
  throw problem(
    'TypeMismatch',
    `The '${path}' field is required to be a BSON document in the client metadata document`,
  );
}

function problem(code: ErrorCodeName, message: string): CommandError {
  return new CommandError(code, message);
}

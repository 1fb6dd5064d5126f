/**
 * Errors as problem details: RFC 9457's fields, and MongoDB's code, name and labels beside them.
 */
import { codeNameOf, CommandError } from '../../common/errors.ts';
import { BsonType, FieldCursor, getField, toExtendedJson } from '../../bson/index.ts';

export const PROBLEM_TYPE = 'application/problem+json';

export interface Problem {
  readonly type: 'about:blank';
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** MongoDB's, where the server said one. */
  readonly code?: number;
  readonly codeName?: string;
  readonly errorLabels?: readonly string[];
  readonly [extension: string]: unknown;
}

/** What HTTP itself refuses. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'HttpRefusal';
    this.status = status;
    this.headers = headers;
  }
}

/** MongoDB's codes whose HTTP status is not 400. */
const STATUS_OF: ReadonlyMap<number, number> = new Map([
  ...statusFor(401, ['AuthenticationFailed']),
  ...statusFor(403, ['Unauthorized']),
  ...statusFor(404, ['NamespaceNotFound', 'IndexNotFound', 'CursorNotFound', 'CommandNotFound']),
  ...statusFor(409, [
    'DuplicateKey',
    'NamespaceExists',
    'WriteConflict',
    'IndexOptionsConflict',
    'IndexKeySpecsConflict',
    'ConflictingOperationInProgress',
    'CursorInUse',
  ]),
  ...statusFor(413, ['BSONObjectTooLarge']),
  // An update makes a document larger than one may be.
  [17_419, 413],
  ...statusFor(422, ['DocumentValidationFailure']),
  ...statusFor(500, ['InternalError', 'UnknownError', 'DataCorruptionDetected']),
  ...statusFor(501, ['NotImplemented', 'CommandNotSupported']),
  ...statusFor(503, [
    'ShutdownInProgress',
    'InterruptedAtShutdown',
    'InterruptedDueToReplStateChange',
    'Interrupted',
    'ExceededMemoryLimit',
  ]),
  ...statusFor(504, ['MaxTimeMSExpired', 'NetworkTimeout']),
  ...statusFor(507, ['OutOfDiskSpace']),
]);

function statusFor(
  status: number,
  names: readonly ConstructorParameters<typeof CommandError>[0][],
): [code: number, status: number][] {
  return names.map((name) => [new CommandError(name, '').code, status]);
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  507: 'Insufficient Storage',
};

export function statusOfCode(code: number): number {
  return STATUS_OF.get(code) ?? 400;
}

export function titleOf(status: number): string {
  return TITLES[status] ?? 'Error';
}

/** A refusal of HTTP's, or an error of the request's content. Anything else is a bug, which its reader is not shown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof HttpRefusal) return plainProblem(error.status, error.message);
  if (!(error instanceof CommandError)) {
    return plainProblem(500, 'The server failed in a way that nobody foresaw; its log says more.');
  }
  return {
    ...plainProblem(statusOfCode(error.code), error.message),
    code: error.code,
    codeName: error.codeName,
    ...(error.labels.length === 0 ? {} : { errorLabels: error.labels }),
  };
}

function plainProblem(status: number, detail: string): Problem {
  return { type: 'about:blank', status, title: titleOf(status), detail };
}

/** Of a reply that says `ok: 0`, or of one entry of its writeErrors; what else it says stands in the problem, too. */
export function problemOfReply(
  reply: Buffer,
  more: Readonly<Record<string, unknown>> = {},
): Problem {
  const code = getField(reply, 'code')?.asNumber() ?? 0;
  const detail = getField(reply, 'errmsg');
  const codeName = getField(reply, 'codeName');
  return {
    ...otherFields(reply),
    ...plainProblem(statusOfCode(code), detail?.type === BsonType.string ? detail.asString() : ''),
    code,
    codeName: codeName?.type === BsonType.string ? codeName.asString() : codeNameOf(code),
    ...more,
  };
}

const SHOWN: ReadonlySet<string> = new Set(['ok', 'errmsg', 'code', 'codeName', 'index']);

function otherFields(reply: Buffer): Record<string, unknown> {
  const fields: [string, unknown][] = [];
  const cursor = new FieldCursor(reply);
  while (cursor.next()) {
    if (SHOWN.has(cursor.name)) continue;
    fields.push([cursor.name, toExtendedJson(cursor.value(), { relaxed: true })]);
  }
  return Object.fromEntries(fields);
}

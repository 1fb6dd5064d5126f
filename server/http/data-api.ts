/**
 * The routes over which documents are read and written: MongoDB's Data API, commands, and the OpenAPI document of both.
 *
 * Owns: a request's way from its body to its answer. Never: knows the engine; commands go to whoever runs them.
 * Promises: every request is checked by the guard before its body is read; every failure is a problem document.
 */
import type { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import type { Clock } from '../../common/clock.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_MESSAGE_BYTES } from '../../common/limits.ts';
import type { Log } from '../../common/log.ts';
import { DocumentBuilder, FieldCursor, getField, toExtendedJson } from '../../bson/index.ts';
import { ACTIONS } from './actions/actions.ts';
import { checkFields, type Action, type ActionContext } from './actions/define-action.ts';
import type { CommandCaller, CommandRunner } from './command-runner.ts';
import { CursorReader, FailedReply } from './cursor-reader.ts';
import { documentLines } from './document-lines.ts';
import {
  FORMATS,
  formatOfContent,
  LINES_TYPE,
  wantedFormat,
  type Format,
  type Wanted,
} from './formats/formats.ts';
import { Guard, type GuardOptions } from './guard.ts';
import { openApiDocument } from './openapi.ts';
import { HttpRefusal, PROBLEM_TYPE, problemOf, problemOfReply, type Problem } from './problem.ts';
import { RequestBodies } from './request-body.ts';

export interface DataApiSurroundings {
  readonly runner: CommandRunner;
  readonly guard: GuardOptions;
  readonly clock: Clock;
  readonly log: Log;
  readonly connectionIdOf: (socket: Socket) => number;
  readonly newObjectId: ActionContext['newObjectId'];
}

export type HttpContext = Context<{ Bindings: HttpBindings }>;
type Reply = Promise<Response>;

/** Mounts the guard before every route that is added later, and the API's own routes. */
export function mountDataApi(
  app: Hono<{ Bindings: HttpBindings }>,
  surroundings: DataApiSurroundings,
): void {
  const api = new DataApi(surroundings);
  const guard = new Guard(surroundings.guard);
  app.use('*', async (context, next) => {
    const head = {
      method: context.req.method,
      header: (name: string) => context.req.header(name),
    };
    const cors = guard.check(head);
    if (head.method === 'OPTIONS') {
      context.res = context.body(null, 204, guard.preflightHeaders(head));
    } else {
      await next();
    }
    for (const [name, value] of Object.entries(cors)) context.res.headers.set(name, value);
    context.res.headers.set('X-Content-Type-Options', 'nosniff');
  });
  app.onError((error, context) => api.refuse(error, context));
  app.notFound((context) => {
    const methods = app.routes
      .filter(({ path, method }) => method !== 'ALL' && path === context.req.path)
      .map(({ method }) => method);
    const refusal =
      methods.length > 0
        ? new HttpRefusal(405, 'This path takes another method.', { Allow: methods.join(', ') })
        : new HttpRefusal(404, 'There is nothing at this path.');
    return api.refuse(refusal, context);
  });
  for (const action of ACTIONS) {
    app.post(`/action/${action.name}`, (context) => api.runAction(action, context));
  }
  app.post('/command', (context) => api.runCommand(context));
  app.get('/openapi.json', (context) => context.json(openApiDocument()));
}

class DataApi {
  private readonly surroundings: DataApiSurroundings;
  private readonly bodies = new RequestBodies();

  constructor(surroundings: DataApiSurroundings) {
    this.surroundings = surroundings;
  }

  runAction(action: Action, context: HttpContext): Reply {
    return this.withRequest(context, async (request, wanted) => {
      const fields = checkFields(action, request);
      const { command, cursor, answer } = action.prepare(fields, this.surroundings);
      const caller = this.callerOf(context);
      const reply = await this.run(command, caller);
      if (cursor !== undefined) {
        const reader = new CursorReader(command, reply, caller, this.run);
        if (wanted.asLines) return this.lines(reader, wanted.format, caller);
        return encoded(await gather(reader, cursor), 200, wanted.format);
      }
      refuseWriteErrors(reply);
      if (answer === undefined) throw new CommandError('InternalError', 'the action has no answer');
      const { status, body } = answer(reply);
      return encoded(body, status, wanted.format);
    });
  }

  /** A command as it stands; its reply as it stands, or a cursor's documents as lines. */
  runCommand(context: HttpContext): Reply {
    return this.withRequest(context, async (command, wanted) => {
      const caller = this.callerOf(context);
      const reply = await this.runWhole(command, caller);
      if (!wanted.asLines) return encoded(reply, 200, wanted.format);
      return this.lines(new CursorReader(command, reply, caller, this.run), wanted.format, caller);
    });
  }

  refuse(error: unknown, context: HttpContext): Response {
    if (!(error instanceof HttpRefusal || error instanceof CommandError)) {
      // Who left hears nothing; that reading from him failed is no defect.
      if (!context.req.raw.signal.aborted && !(error instanceof FailedReply)) this.report(error);
    }
    const response = problemResponse(this.problem(error));
    if (error instanceof HttpRefusal) {
      for (const [name, value] of Object.entries(error.headers)) response.headers.set(name, value);
    }
    return response;
  }

  private async withRequest(
    context: HttpContext,
    work: (document: Buffer, wanted: Wanted) => Reply,
  ): Reply {
    const coding = context.req.header('content-encoding') ?? 'identity';
    if (coding.toLowerCase() !== 'identity') throw codedContent();
    const format = formatOfContent(context.req.header('content-type'));
    if (format === undefined) throw unknownContent();
    const wanted = wantedFormat(context.req.header('accept'), format);
    if (wanted === undefined) throw unacceptable();
    return this.bodies.with(context.req.raw, format.maxBodyBytes, (body) =>
      work(format.decode(body), wanted),
    );
  }

  private readonly run = async (command: Buffer, caller: CommandCaller): Promise<Buffer> => {
    const reply = await this.surroundings.runner.run(command, caller);
    if (reply === undefined) {
      caller.disconnect();
      throw new HttpRefusal(503, 'The server closed the connection.');
    }
    if (getField(reply, 'ok')?.asNumber() !== 1) throw new FailedReply(reply);
    return reply;
  };

  /** As run; a failure's problem holds the whole reply, for clients that want it as it was. */
  private async runWhole(command: Buffer, caller: CommandCaller): Promise<Buffer> {
    try {
      return await this.run(command, caller);
    } catch (error) {
      if (error instanceof FailedReply) throw new FailedCommand(error.reply);
      throw error;
    }
  }

  private callerOf(context: HttpContext): CommandCaller {
    const { socket } = context.env.incoming;
    return {
      connectionId: this.surroundings.connectionIdOf(socket),
      remote: `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`,
      signal: context.req.raw.signal,
      disconnect: () => socket.destroy(),
    };
  }

  private async lines(cursor: CursorReader, format: Format, caller: CommandCaller): Reply {
    if (caller.signal.aborted) await cursor.close();
    const body = documentLines({
      cursor,
      format,
      clock: this.surroundings.clock,
      problemOf: (error) => this.problem(error),
      disconnect: caller.disconnect,
    });
    return new Response(body, { status: 200, headers: { 'Content-Type': LINES_TYPE } });
  }

  private problem(error: unknown): Problem {
    if (error instanceof FailedCommand) {
      return problemOfReply(error.reply, { reply: toExtendedJson(error.reply) });
    }
    return error instanceof FailedReply ? problemOfReply(error.reply) : problemOf(error);
  }

  private report(error: unknown): void {
    this.surroundings.log.write({
      severity: 'E',
      component: 'NETWORK',
      id: 2_100_020,
      message: 'A request over HTTP failed in a way that nobody foresaw',
      attributes: {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      },
    });
  }
}

/** Of a command that was sent as one. */
class FailedCommand extends FailedReply {}

/** Bytes of documents in one answer that is no stream. */
const MAX_ANSWER_BYTES = MAX_MESSAGE_BYTES;

async function gather(
  reader: CursorReader,
  { field, limit }: { readonly field: 'document' | 'documents'; readonly limit: number },
): Promise<Buffer> {
  const documents: Buffer[] = [];
  let bytes = 0;
  try {
    for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
      for (const document of batch) {
        if (documents.length === limit) break;
        documents.push(document);
        bytes += document.length;
      }
      if (documents.length === limit) break;
      if (bytes > MAX_ANSWER_BYTES) {
        throw new CommandError(
          'BSONObjectTooLarge',
          `The documents have more than ${MAX_ANSWER_BYTES} bytes: ask for ${LINES_TYPE}, or for fewer.`,
        );
      }
    }
  } finally {
    await reader.close();
  }
  const answer = new DocumentBuilder(bytes + 64);
  if (field === 'document') {
    const [document] = documents;
    return (
      document === undefined ? answer.appendNull(field) : answer.appendDocument(field, document)
    ).finish();
  }
  answer.beginArray(field);
  for (const [index, document] of documents.entries()) answer.appendDocument(`${index}`, document);
  return answer.end().finish();
}

/** What a write could not do is an error here, though its reply says ok. */
function refuseWriteErrors(reply: Buffer): void {
  const errors = getField(reply, 'writeErrors');
  if (errors !== undefined) {
    const cursor = new FieldCursor(errors.asDocument());
    if (cursor.next()) throw new FailedReply(cursor.value().asDocument());
  }
  const concern = getField(reply, 'writeConcernError');
  if (concern !== undefined) throw new FailedReply(concern.asDocument());
}

function encoded(document: Buffer, status: 200 | 201, format: Format): Response {
  const body = format.encode(document);
  return new Response(typeof body === 'string' ? body : new Uint8Array(body), {
    status,
    headers: { 'Content-Type': format.mediaType },
  });
}

function problemResponse(problem: Problem): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'Content-Type': PROBLEM_TYPE },
  });
}

const SPOKEN = FORMATS.map(({ mediaType }) => mediaType).join(', ');

/** Among them all that a page may send to a foreign server unasked: forms and plain text. */
function unknownContent(): HttpRefusal {
  return new HttpRefusal(415, `The body must be one of ${SPOKEN}, and say which.`, {
    'Accept-Post': SPOKEN,
  });
}

/** Source: RFC 9110, section 8.4: which ones are read stands in the answer's Accept-Encoding. */
function codedContent(): HttpRefusal {
  return new HttpRefusal(415, 'The body must not be compressed.', {
    'Accept-Encoding': 'identity',
  });
}

function unacceptable(): HttpRefusal {
  return new HttpRefusal(406, `The answer can be one of ${SPOKEN}, ${LINES_TYPE}.`);
}

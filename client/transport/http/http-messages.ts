/**
 * Commands and replies as bodies of HTTP: BSON there, BSON or a problem document back.
 */
import { EJSON, serialize } from 'bson';
import { MongoNetworkError } from '../../errors/network-errors.ts';
import type { CommandMessage } from '../contract.ts';

const ARRAY = 4;
const text = new TextEncoder();

/** The command as one document: HTTP knows no sequences, they become the arrays that they stand for. */
export function withSequences({ body, sequences }: CommandMessage): Uint8Array {
  if (sequences.length === 0) return body;
  const parts: Uint8Array[] = [body.subarray(0, body.length - 1)];
  for (const { field, documents } of sequences) {
    const elements = documents.flatMap((document, index) => [
      text.encode(`\u0003${index}\0`),
      document,
    ]);
    const arrayBytes = 5 + elements.reduce((sum, { length }) => sum + length, 0);
    parts.push(Uint8Array.of(ARRAY), text.encode(`${field}\0`), int32(arrayBytes));
    // One by one: there may be more than a call takes arguments.
    for (const element of elements) parts.push(element);
    parts.push(Uint8Array.of(0));
  }
  parts.push(Uint8Array.of(0));
  const whole = concatenated(parts);
  whole.set(int32(whole.length), 0);
  return whole;
}

/** The reply, also of a command that failed. @throws MongoNetworkError when what answered is no FlintDB, or refused. */
export async function replyOfResponse(response: Response): Promise<Uint8Array> {
  const type = response.headers.get('content-type') ?? '';
  if (response.status === 200 && type.startsWith('application/bson')) {
    return new Uint8Array(await response.arrayBuffer());
  }
  const said = await response.text();
  const problem = type.startsWith('application/problem+json') ? problemOf(said) : undefined;
  if (problem?.reply !== undefined) return serialize(problem.reply);
  throw new MongoNetworkError(
    problem?.detail ?? `HTTP status ${response.status}: ${said.slice(0, 200)}`,
  );
}

interface Problem {
  readonly detail: string;
  readonly reply: object | undefined;
}

function problemOf(said: string): Problem | undefined {
  const problem: unknown = EJSON.parse(said, { relaxed: false });
  if (typeof problem !== 'object' || problem === null) return undefined;
  const detail = 'detail' in problem ? String(problem.detail) : '';
  const reply = 'reply' in problem ? problem.reply : undefined;
  return { detail, reply: typeof reply === 'object' && reply !== null ? reply : undefined };
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Question: how fast could any server in Node be? This one has no storage: it frames messages as flintd does, looks at
 * the command's name, and answers with a prepared reply of the right size.
 *
 * Estimate beforehand (MEASURED: null server): 9-10 us of server CPU per operation at 64 connections, 110,000/s.
 * Prints {"port": n} when it listens; ends with its parent's pipe.
 */
import { createServer, type Socket } from 'node:net';
import { Double, Int32, Long, serialize } from 'bson';
import { encodeOpMsg, MESSAGE_HEADER, MessageReader, OP_MSG } from '../../wire/index.ts';
import { benchmarkDocument, DATABASE } from './prepared.ts';

const REPLIES: ReadonlyMap<string, Buffer> = new Map([
  ['find', prepareReply(findReply())],
  ['insert', prepareReply({ n: new Int32(1), ok: new Double(1) })],
  ['hello', prepareReply({ maxWireVersion: new Int32(25), ok: new Double(1) })],
]);
const OTHER = prepareReply({ ok: new Double(1) });

function findReply(): Record<string, unknown> {
  return {
    cursor: { firstBatch: [benchmarkDocument(1)], id: Long.ZERO, ns: `${DATABASE}.documents` },
    ok: new Double(1),
  };
}

function prepareReply(body: Record<string, unknown>): Buffer {
  return encodeOpMsg({ requestId: 1, body: Buffer.from(serialize(body)) });
}

/** The first field's name begins behind body length and type byte; four characters tell the commands apart. */
const NAME_OFFSET = OP_MSG.body + 5;
const BY_PREFIX = new Map([...REPLIES].map(([name, reply]) => [prefixOf(name), reply]));

function prefixOf(name: string): number {
  return Buffer.from(name.slice(0, 4)).readInt32LE(0);
}

function replyTo(message: Buffer): Buffer {
  const known = message.length >= NAME_OFFSET + 4;
  const template = (known ? BY_PREFIX.get(message.readInt32LE(NAME_OFFSET)) : undefined) ?? OTHER;
  // A copy per reply: the socket may still hold the previous one.
  const reply = Buffer.allocUnsafe(template.length);
  template.copy(reply);
  message.copy(
    reply,
    MESSAGE_HEADER.responseTo,
    MESSAGE_HEADER.requestId,
    MESSAGE_HEADER.requestId + 4,
  );
  return reply;
}

function serve(socket: Socket): void {
  const reader = new MessageReader();
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk);
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    for (let message = reader.next(); message !== undefined; message = reader.next()) {
      const reply = replyTo(message);
      if (first === undefined) first = reply;
      else (more ??= [first]).push(reply);
    }
    // One write per socket and turn.
    if (more !== undefined) socket.write(Buffer.concat(more));
    else if (first !== undefined) socket.write(first);
  });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  process.stdout.write(`${JSON.stringify({ port: address.port })}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();

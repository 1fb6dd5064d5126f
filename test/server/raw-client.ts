/**
 * A client that speaks bytes: for what no driver would send.
 */
import { connect, type Socket } from 'node:net';
import { deserialize, serialize, type Document } from 'bson';
import {
  MessageReader,
  encodeOpMsg,
  parseMessage,
  type DocumentSequence,
  type OpMsg,
} from '../../wire/index.ts';

export interface SendOptions {
  readonly sequences?: readonly DocumentSequence[];
  readonly moreToCome?: boolean;
  readonly exhaustAllowed?: boolean;
  readonly checksum?: boolean;
}

export interface Reply extends OpMsg {
  readonly document: Document;
}

export class RawClient {
  readonly socket: Socket;
  private readonly reader = new MessageReader();
  private readonly waiting: ((message: Buffer | undefined) => void)[] = [];
  private readonly arrived: Buffer[] = [];
  private requestId = 0;
  /** Resolves when the server has ended the connection. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        for (const wake of this.waiting.splice(0)) wake(undefined);
        resolve();
      });
    });
  }

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  get lastRequestId(): number {
    return this.requestId;
  }

  /** Sends a command without waiting. @returns its request id. */
  send(command: Document, options: SendOptions = {}): number {
    this.socket.write(this.encode(command, options));
    return this.requestId;
  }

  encode(command: Document, options: SendOptions = {}): Buffer {
    this.requestId += 1;
    return encodeOpMsg({
      requestId: this.requestId,
      body: Buffer.from(serialize(command)),
      ...options,
    });
  }

  /** Sends a command and waits for the reply. */
  async run(command: Document, options: SendOptions = {}): Promise<Document> {
    this.send(command, options);
    return (await this.reply()).document;
  }

  /** The next whole message; undefined once the connection is closed. */
  message(): Promise<Buffer | undefined> {
    const ready = this.arrived.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.socket.destroyed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async reply(): Promise<Reply> {
    const message = await this.message();
    if (message === undefined) throw new Error('the connection was closed');
    const parsed = parseMessage(message);
    if (parsed.kind !== 'msg') throw new Error(`a ${parsed.kind} instead of an OP_MSG`);
    return { ...parsed, document: deserialize(parsed.body, { promoteLongs: true }) };
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(chunk: Buffer): void {
    this.reader.push(chunk);
    for (let next = this.reader.next(); next !== undefined; next = this.reader.next()) {
      const wake = this.waiting.shift();
      if (wake === undefined) this.arrived.push(next);
      else wake(next);
    }
  }
}

/**
 * Question: what does the server add to a command, from a whole message to the encoded reply, without socket and device?
 *
 * Estimate beforehand: validation 0.2 us, one walk over five to eight fields 0.5, the operation context 0.2, reply and message
 * 0.4, counters and clock 0.2: 1.5-2 us for a ping with a session; a find by `_id` adds parsing and planning 1.5, the look-up 0.5.
 * Measures what `npm run build` made: the loader of sources names every closure at run time, which doubles these figures.
 * Run: `npm run build && npm run bench -- server/dispatch`.
 */
import { Binary, serialize, type Document } from 'bson';
import { encodeOpMsg } from '../../../wire/index.ts';

type Sources = {
  readonly 'server/flint-server': typeof import('../../../server/flint-server.ts');
  readonly 'server/commands/index': typeof import('../../../server/commands/index.ts');
  readonly 'server/command/dispatch': typeof import('../../../server/command/dispatch.ts');
  readonly 'server/network/message-handler': typeof import('../../../server/network/message-handler.ts');
  readonly 'server/options/parameters': typeof import('../../../server/options/parameters.ts');
  readonly 'server/auth/principal': typeof import('../../../server/auth/principal.ts');
  readonly 'storage/index': typeof import('../../../storage/index.ts');
  readonly 'common/clock': typeof import('../../../common/clock.ts');
  readonly 'common/random': typeof import('../../../common/random.ts');
  readonly 'common/log': typeof import('../../../common/log.ts');
  readonly 'common/failpoints': typeof import('../../../common/failpoints.ts');
};

async function compiled<Name extends keyof Sources>(name: Name): Promise<Sources[Name]> {
  const module: Sources[Name] = await import(
    new URL(`../../../dist/${name}.js`, import.meta.url).href
  );
  return module;
}

const { FlintServer } = await compiled('server/flint-server');
const { createCommandTable } = await compiled('server/commands/index');
const { Dispatcher } = await compiled('server/command/dispatch');
const { MessageHandler } = await compiled('server/network/message-handler');
const { ParameterSet } = await compiled('server/options/parameters');
const { unrestricted } = await compiled('server/auth/principal');
const { openEngine } = await compiled('storage/index');
const { systemClock } = await compiled('common/clock');
const { systemRandom } = await compiled('common/random');
const { silentLog } = await compiled('common/log');
const { FailPoints } = await compiled('common/failpoints');

const engine = await openEngine({});
const commands = createCommandTable();
const server = new FlintServer({
  engine,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  failPoints: new FailPoints(systemRandom),
  parameters: new ParameterSet(),
  commands,
  network: { addresses: ['127.0.0.1'], port: 0, maxConnections: 10 },
  compressors: [],
  slowOperationMs: 1000,
  dbPath: '',
  argv: [],
  parsedOptions: {},
  onShutdownRequested: () => {},
});
const handler = new MessageHandler(new Dispatcher(server.service, commands));
const source = {
  id: 1,
  remote: 'bench:1',
  principal: unrestricted,
  metadata: undefined,
  appName: undefined,
  handshakeDone: true,
  compressors: [],
  clientEnded: false,
  abort: () => {},
  nextRequestId: () => 1,
  operationStarted: () => {},
};

const lsid = { id: new Binary(Buffer.alloc(16, 7), 4) };
const message = (command: Document): Buffer =>
  encodeOpMsg({ requestId: 1, body: Buffer.from(serialize(command)) });
const text = 'x'.repeat(1000);
await handler.run(message({ insert: 'c', documents: [{ _id: 'u1', text }], $db: 'db' }), source);

/** Nanoseconds per call, after a warm-up of as many. */
async function report(what: string, calls: number, next: (call: number) => Buffer): Promise<void> {
  let beganNs = 0n;
  for (let call = -calls; call < calls; call += 1) {
    if (call === 0) beganNs = process.hrtime.bigint();
    const outcome = handler.run(next(call), source);
    if (outcome instanceof Promise) await outcome;
  }
  const nanoseconds = Math.round(Number(process.hrtime.bigint() - beganNs) / calls);
  process.stdout.write(`${what.padEnd(44)}${nanoseconds.toLocaleString('en-US').padStart(9)} ns\n`);
}

const always = (command: Document): (() => Buffer) => {
  const bytes = message(command);
  return () => bytes;
};
await report('ping', 200_000, always({ ping: 1, $db: 'admin' }));
await report('ping in a session', 200_000, always({ ping: 1, lsid, $db: 'admin' }));
await report('hello', 50_000, always({ hello: 1, $db: 'admin' }));
await report('an unknown command', 50_000, always({ nope: 1, $db: 'admin' }));
await report(
  'find by _id, 1 KiB, in a session',
  100_000,
  always({ find: 'c', filter: { _id: 'u1' }, limit: 1, singleBatch: true, lsid, $db: 'db' }),
);
await report('insert of 1 KiB (its message made, too)', 20_000, (call) =>
  message({ insert: 'd', documents: [{ _id: call, text }], lsid, $db: 'db' }),
);
server.service.timers.close();
await engine.close();

/**
 * Question: what does a message cost before and after its command runs?
 *
 * Estimate beforehand: framing a message inside one chunk is a subarray (30 ns) and a few reads; parsing a few more and
 * one subarray per section or document (40 ns each); encoding a reply of 1 KiB one allocation (150 ns) and one copy (60 ns).
 * Run: `npm run bench -- wire/messages`.
 */
import { serialize } from 'bson';
import {
  compressMessage,
  compressorByName,
  decompressMessage,
  encodeOpMsg,
  MessageReader,
  parseOpMsg,
  validateOpMsg,
} from '../../../wire/index.ts';

const raw = (document: Record<string, unknown>): Buffer => Buffer.from(serialize(document));

/** Nanoseconds per call, after a warm-up of a fifth as many calls. */
function timePerCall(calls: number, run: () => void): number {
  for (let call = 0; call < calls / 5; call += 1) run();
  const beganNs = process.hrtime.bigint();
  for (let call = 0; call < calls; call += 1) run();
  return Number(process.hrtime.bigint() - beganNs) / calls;
}

function report(what: string, calls: number, run: () => void): void {
  const nanoseconds = Math.round(timePerCall(calls, run));
  process.stdout.write(`${what.padEnd(44)}${nanoseconds.toLocaleString('en-US').padStart(9)} ns\n`);
}

const find = encodeOpMsg({
  requestId: 1,
  body: raw({ find: 'c', filter: { _id: 1 }, limit: 1, singleBatch: true, $db: 'test' }),
});
const document = raw({ _id: 1, text: 'x'.repeat(1000) });
const insertMany = encodeOpMsg({
  requestId: 1,
  body: raw({ insert: 'c', $db: 'test' }),
  sequences: [{ identifier: 'documents', documents: Array.from({ length: 1000 }, () => document) }],
});
const body = raw({ cursor: { firstBatch: [{ _id: 1, text: 'x'.repeat(1000) }], id: 0 }, ok: 1 });
const reply = encodeOpMsg({ requestId: 1, responseTo: 1, body });
const reader = new MessageReader();
const parsedFind = parseOpMsg(find);
const parsedInsertMany = parseOpMsg(insertMany);

report('frame a find, one per chunk', 1_000_000, () => {
  reader.push(find);
  reader.next();
});
report('parse a find', 1_000_000, () => {
  parseOpMsg(find);
});
report('validate a find', 1_000_000, () => validateOpMsg(parsedFind));
report('parse an insert of 1,000 x 1 KiB', 5000, () => {
  parseOpMsg(insertMany);
});
report('validate an insert of 1,000 x 1 KiB', 2000, () => validateOpMsg(parsedInsertMany));
report('encode a reply of 1 KiB', 1_000_000, () => {
  encodeOpMsg({ requestId: 1, responseTo: 1, body });
});
report('encode a reply of 1 KiB with checksum', 1_000_000, () => {
  encodeOpMsg({ requestId: 1, responseTo: 1, body, checksum: true });
});
for (const name of ['snappy', 'zlib']) {
  const compressor = compressorByName(name);
  const compressed = await compressMessage(reply, compressor);
  report(`compress a reply of 1 KiB: ${name}`, 50_000, () => {
    void compressMessage(reply, compressor);
  });
  report(`decompress it: ${name}`, 50_000, () => {
    void decompressMessage(compressed);
  });
}

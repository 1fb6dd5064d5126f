/**
 * The examples of docs/format/wire.md are the bytes that the code writes.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Double } from 'bson';
import {
  compressMessage,
  compressorByName,
  encodeOpMsg,
  encodeOpQuery,
  encodeOpReply,
} from '../../wire/index.ts';
import { raw } from './documents.ts';

const PAGE = readFileSync(new URL('../../docs/format/wire.md', import.meta.url), 'utf8');

/** The hexadecimal bytes of the first example below a heading; what stands behind three spaces is a remark. */
function exampleBytes(heading: string): string {
  const section = PAGE.split(`\n## ${heading}\n`)[1] ?? '';
  const block = section.split('```')[1] ?? '';
  return block
    .split('\n')
    .map((line) => line.trim().split('   ')[0]?.replaceAll(' ', '') ?? '')
    .join('');
}

describe('docs/format/wire.md', () => {
  const ping = raw({ ping: 1 });

  it('shows an OP_MSG', () => {
    const message = encodeOpMsg({ requestId: 7, body: ping, checksum: true });
    assert.equal(exampleBytes('OP_MSG'), message.toString('hex'));
  });

  it('shows an OP_QUERY', () => {
    const query = raw({ hello: 1 });
    const message = encodeOpQuery({ requestId: 1, fullCollectionName: 'admin.$cmd', query });
    assert.equal(exampleBytes('OP_QUERY'), message.toString('hex'));
  });

  it('shows an OP_REPLY', () => {
    const document = raw({ ok: new Double(1) });
    const message = encodeOpReply({ requestId: 2, responseTo: 1, document });
    assert.equal(exampleBytes('OP_REPLY'), message.toString('hex'));
  });

  it('shows an OP_COMPRESSED', async () => {
    const plain = encodeOpMsg({ requestId: 7, body: ping });
    const message = await compressMessage(plain, compressorByName('noop'));
    assert.equal(exampleBytes('OP_COMPRESSED'), message.toString('hex'));
  });
});

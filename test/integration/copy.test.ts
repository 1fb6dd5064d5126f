/**
 * `flint copy` between two running servers.
 */
import assert from 'node:assert/strict';
import { runToEnd } from '../support/programs.ts';
import { contentsOf } from '../support/server-contents.ts';
import { serverForTests } from '../support/test-server.ts';
import { fillWithVariedData } from '../support/varied-data.ts';

describe('flint copy', function () {
  this.timeout(60_000);
  const source = serverForTests();
  const target = serverForTests();
  const copy = (...args: string[]) =>
    runToEnd(['copy', source.uri, target.uri, ...args], { program: 'flint' });

  before('fill the source', async () => {
    await fillWithVariedData(source.client.db('shop'));
    await source.client.db('other').collection('c').insertOne({ a: 1 });
  });

  it('takes documents, indexes, options, time series and views with every type', async () => {
    const { code, stdout, stderr } = await copy('--json');
    assert.deepEqual(
      [code, stdout],
      [0, '{"namespaces":9,"documents":2569,"refused":0}\n'],
      stderr,
    );
    assert.deepEqual(await contentsOf(target.client), await contentsOf(source.client));
  });

  it('writes over nothing unless it is told to drop', async () => {
    await target.client.db('other').collection('c').insertOne({ b: 2 });
    const before = await contentsOf(target.client);
    const { code, stderr } = await copy('--nsInclude', 'other.*');
    assert.equal(code, 1);
    assert.match(stderr, /other\.c is there already\. Nothing was written\. With --drop/);
    assert.deepEqual(await contentsOf(target.client), before);
    const again = await copy('--drop', '--nsInclude', 'other.*,nothing.*');
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(await contentsOf(target.client), await contentsOf(source.client));
  });

  it('leaves out what is excluded, and says when nothing is left', async () => {
    const { code, stderr } = await copy('--nsExclude', 'shop.*,other.c');
    assert.deepEqual([code, stderr], [1, 'flint: there is nothing to copy.\n']);
    const refused = await copy('--nsInclude', 'shop');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--nsInclude needs a namespace such as 'shop\.items'/);
  });

  it('does not drop a server in favour of itself', async () => {
    const uri = source.uri.replace('127.0.0.1', 'localhost');
    const { code, stderr } = await runToEnd(['copy', source.uri, uri, '--drop'], {
      program: 'flint',
    });
    assert.deepEqual(
      [code, stderr],
      [1, 'flint: both connection strings lead to the same server.\n'],
    );
  });

  it('says which server is not there, without its password', async () => {
    const { code, stderr } = await runToEnd(
      ['copy', source.uri, 'mongodb://me:secret@127.0.0.1:1/?serverSelectionTimeoutMS=200'],
      { program: 'flint' },
    );
    assert.equal(code, 1);
    assert.match(stderr, /cannot reach mongodb:\/\/me:\*\*\*@127\.0\.0\.1:1.*Is a server running/);
  });
});

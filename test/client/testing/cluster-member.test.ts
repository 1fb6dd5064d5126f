/** One process of a cluster: what is known of it while it starts, and when it does not. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { ClusterDirectory, type ClusterMember } from '../../../client/testing/cluster-directory.ts';
import { endMember, startMember } from '../../../client/testing/cluster-member.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../support/programs.ts';

const OPTIONS = { configHost: '127.0.0.1:0', args: [], timeoutMs: 20_000, isBound: true };
const SHARD: ClusterMember = { name: 'shard1', kind: 'shard', port: 0 };

describe('a member of a cluster', () => {
  let directory: ClusterDirectory;

  beforeEach(() => {
    directory = new ClusterDirectory(temporaryDirectory());
  });
  afterEach(() => {
    removeTemporaryDirectory(directory.path);
  });

  it('is known from its first moment: who finds its starter dead can end it', async () => {
    const starting = startMember(directory, SHARD, OPTIONS);
    const pid = directory.pidOf('shard1');
    assert.equal(typeof pid, 'number');
    assert.equal((await starting).pid, pid);
    assert.equal(directory.pidOf('shard1'), pid);
    assert.ok(await endMember(directory, 'shard1', 'SIGTERM'));
  });

  it('leaves no process id behind when it does not start', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const address = blocker.address();
    assert.ok(typeof address === 'object' && address !== null);
    const member = { ...SHARD, port: address.port };
    await assert.rejects(startMember(directory, member, OPTIONS), /port is taken/);
    blocker.close();
    assert.ok(!existsSync(join(directory.path, 'shard1', 'pid')));
  });
});

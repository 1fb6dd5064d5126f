/**
 * The program flints: options, what it says of itself, and a config server that is not there.
 */
import assert from 'node:assert/strict';
import { MongoClient } from 'mongodb';
import { Program, runToEnd } from '../support/programs.ts';

describe('flints, the program', () => {
  it('shows its options', async () => {
    const { code, stdout } = await runToEnd(['--help'], { program: 'flints' });
    assert.equal(code, 0);
    assert.match(stdout, /--configdb/);
    assert.doesNotMatch(stdout, /--dbpath/);
  });

  it('says its version', async () => {
    const { code, stdout } = await runToEnd(['--version'], { program: 'flints' });
    assert.equal(code, 0);
    assert.match(stdout, /^flints v/);
  });

  for (const [what, args, expected] of [
    ['no config server', [], /--configdb is required/],
    ['a replica set of config servers', ['--configdb', 'c/a:1,b:2'], /not of the form host:port/],
    ['a data directory', ['--configdb', 'a:1', '--dbpath', '/tmp'], /dbpath/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await runToEnd(args, { program: 'flints' });
      assert.equal(code, 2);
      assert.match(stderr, expected);
    });
  }

  describe('over a config server', () => {
    let config: Program;
    let router: Program;
    let client: MongoClient;

    before(async () => {
      config = await Program.start();
      router = await Program.start({
        program: 'flints',
        args: ['--configdb', `127.0.0.1:${config.port}`],
      });
      client = await new MongoClient(router.uri).connect();
    });
    after(async () => {
      await client.close();
      await router.dispose();
      await config.dispose();
    });

    it('says hello as a mongos, without sessions that its shards do not know', async () => {
      for (const command of ['hello', 'isMaster']) {
        const reply = await client.db('admin').command({ [command]: 1 });
        assert.equal(reply['msg'], 'isdbgrid');
        assert.equal(reply['setName'], undefined);
        assert.equal(reply['logicalSessionTimeoutMinutes'], undefined);
      }
    });

    it('answers by itself what is about itself', async () => {
      assert.equal((await client.db('admin').command({ ping: 1 }))['ok'], 1);
      assert.match((await client.db('admin').command({ buildInfo: 1 }))['version'], /^8\./);
    });

    it('shows the config database of the config server', async () => {
      const direct = await new MongoClient(config.uri).connect();
      await direct.db('config').collection<{ _id: string }>('settings').insertOne({ _id: 'x' });
      await direct.close();
      assert.deepEqual(await client.db('config').collection('settings').find().toArray(), [
        { _id: 'x' },
      ]);
    });

    it('refuses by name what it has no way for, and what nobody knows', async () => {
      for (const name of ['reIndex', 'noSuchCommand']) {
        await assert.rejects(client.db('test').command({ [name]: 1 }), {
          codeName: 'CommandNotFound',
        });
      }
    });

    it('fails with HostUnreachable while the config server is down', async () => {
      await config.kill();
      await assert.rejects(client.db('unknown').collection('x').findOne(), {
        codeName: 'HostUnreachable',
      });
      assert.equal((await client.db('admin').command({ ping: 1 }))['ok'], 1);
    });

    it('ends cleanly', async () => {
      assert.deepEqual(await router.stop(), { code: 0, signal: null });
    });
  });
});

/**
 * The package's types in projects of others: an ES module and a CommonJS one, as TypeScript resolves them under Node's rules.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { removeTemporaryDirectory } from '../support/programs.ts';
import { projectDirectory } from '../support/project.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const tsc = (cwd: string, args: readonly string[]): Promise<{ stdout: string }> =>
  run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...args], { cwd }).catch(
    (error: { stdout?: string }) => {
      throw new Error(error.stdout ?? 'tsc did not run', { cause: error });
    },
  );

/** Every expected error is one; nothing else is. */
const CONSUMER = `
import { FlintClient, MongoClient, ObjectId, startServer, type Collection } from 'flintdb';
import { FlintClient as HttpClient } from 'flintdb/http';
import { MongoMemoryServer } from 'flintdb/memory-server';

interface User { name: string; age: number }

export async function main(): Promise<string> {
  const server = await startServer({ memory: true });
  const client: FlintClient = new MongoClient(server.uri);
  const users: Collection<User> = client.db('app').collection<User>('users');
  const { insertedId } = await users.insertOne({ name: 'Ada', age: 36 });
  const id: ObjectId = insertedId;
  // @ts-expect-error A name is no number.
  await users.findOne({ name: 1 });
  const found = await users.findOne({ _id: id });
  // @ts-expect-error There may be none.
  found.name;
  const http = new HttpClient('http://127.0.0.1:1/');
  const memory: MongoMemoryServer = new MongoMemoryServer({ instance: { dbName: 'app' } });
  await Promise.all([client.close(), http.close(), memory.stop(), server.stop()]);
  return [client.constructor.name, found?.name].join(' ');
}
`;

describe('the types of the package', function () {
  this.timeout(60_000);
  let project = '';
  before('emit the declarations, if nobody has', async () => {
    if (!existsSync(join(ROOT, 'dist/commonjs/client/index.d.ts'))) {
      await tsc(ROOT, ['-p', 'tsconfig.build.json', '--emitDeclarationOnly']);
      await run(process.execPath, ['build.mjs'], { cwd: ROOT });
    }
    project = projectDirectory([]);
    writeFileSync(join(project, 'consumer.cts'), CONSUMER);
    writeFileSync(join(project, 'consumer.mts'), CONSUMER);
  });
  after(() => removeTemporaryDirectory(project));

  it('serve CommonJS and ES modules alike, and the CommonJS that comes of them runs', async () => {
    const options = [
      '--strict',
      '--target',
      'es2022',
      '--types',
      'node',
      '--skipLibCheck',
      'false',
    ];
    await tsc(project, ['--module', 'node16', ...options, 'consumer.cts', 'consumer.mts']);
    const { stdout } = await run(
      process.execPath,
      ['-e', "require('./consumer.cjs').main().then(console.log)"],
      { cwd: project },
    );
    assert.equal(stdout, 'FlintClient Ada\n');
  });
});

/**
 * Scripts written for the official driver do the same with FlintDB's SDK: each runs with both, and what they log is compared.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { inspect } from 'node:util';
import * as official from 'mongodb';
import * as ours from '../../client/index.ts';
import { serverForTests } from '../support/test-server.ts';

const FOLDER = new URL('scripts/', import.meta.url);

interface Script {
  run(driver: object, uri: string, log: (...values: unknown[]) => void): Promise<void>;
}

describe('scripts for the official driver', () => {
  const server = serverForTests({ args: ['--testing', '--httpPort', '0'] });
  const httpUri = () => `http://127.0.0.1:${Reflect.get(server.program.readyLine, 'httpPort')}/`;

  for (const name of readdirSync(FOLDER).sort()) {
    it(`${name} does the same with the import changed`, async () => {
      const script: Script = await import(new URL(name, FOLDER).href);
      const expected = await logOf(script, official, server.uri);
      await server.client.db('admin').command({ resetForTests: 1 });
      assert.deepEqual(await logOf(script, ours, server.uri), expected);
      assert.ok(expected.length > 3);
    });

    it(`${name} does the same over HTTP`, async () => {
      const script: Script = await import(new URL(name, FOLDER).href);
      await server.client.db('admin').command({ resetForTests: 1 });
      const expected = await logOf(script, official, server.uri);
      await server.client.db('admin').command({ resetForTests: 1 });
      assert.deepEqual(await logOf(script, ours, httpUri()), expected);
    });
  }
});

/** What a script logs, as text: ids that it did not choose are not compared. */
async function logOf(script: Script, driver: object, uri: string): Promise<string[]> {
  const lines: string[] = [];
  await script.run(driver, uri, (...values) => {
    lines.push(inspect(values, { depth: 10, breakLength: 200, maxArrayLength: 1000 }));
  });
  return lines;
}

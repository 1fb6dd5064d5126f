/**
 * Every command is tested as clients send it, by a document whose first field is the command's name.
 */
import assert from 'node:assert/strict';
import { createCommandTable } from '../../server/commands/index.ts';
import { filesBelow, readProjectFile } from './source-tree.ts';

const FOLDERS = ['test/server', 'test/integration'];

describe('the tests of the commands', () => {
  it('send each one to a server, by its name', () => {
    const tests = FOLDERS.flatMap((folder) => filesBelow(folder, '.test.ts'))
      .map(readProjectFile)
      .join('\n');
    const untested = createCommandTable()
      .all()
      .map(({ name }) => name)
      .filter((name) => !new RegExp(`\\{\\s*${name}: `).test(tests));
    assert.deepEqual(untested, []);
  });
});

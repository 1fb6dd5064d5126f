/**
 * The command table is complete: every command says what it needs, and every name that MongoDB knows has its answer.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCommandTable } from '../../server/commands/index.ts';
import { PROJECT_ROOT, readProjectFile } from './source-tree.ts';

/** The inventory of what clients expect; no part of the project. */
const INVENTORY =
  process.env['FLINT_FEATURES'] ?? join(PROJECT_ROOT, '../shared/features/commands.json');

/** A command of MongoDB's, not one of the inventory's behaviours "(in parentheses)" or variants "name (which)". */
const COMMAND_NAME = /^\w+$/;
/** Known by name to nobody but Atlas: an unknown command like any other, as on a server outside Atlas. */
const NOT_OURS = new Set(['atlasVersion']);

const ROUTES = new Set([
  'router',
  'anyShard',
  'allShards',
  'primaryShard',
  'configServer',
  'shardsOfFilter',
  'shardsOfDocuments',
  'cursor',
  'never',
]);

describe('the command table', () => {
  const table = createCommandTable();

  it('says of every command which access it needs', () => {
    const without = table
      .all()
      .filter(
        ({ access }) =>
          access === undefined || access.action === undefined || access.on === undefined,
      )
      .map(({ name }) => name);
    assert.deepEqual(without, []);
  });

  it('says of every command how a router sends it on', () => {
    const without = table
      .all()
      .filter(({ route }) => !ROUTES.has(route))
      .map(({ name }) => name);
    assert.deepEqual(without, []);
  });

  it('says of every command what it does, in a sentence', () => {
    const without = table
      .all()
      .filter(({ help }) => !/^[A-Z].+\.$/.test(help))
      .map(({ name }) => name);
    assert.deepEqual(without, []);
  });

  it('is alphabetical, and so are the names that are not supported yet', () => {
    const names = table.all().map(({ name }) => name);
    assert.deepEqual(names, names.toSorted(compareNames));
    const unsupported = [...table.unsupportedNames()];
    assert.deepEqual(unsupported, unsupported.toSorted(compareNames));
  });

  it('has every command file of server/commands', () => {
    const imports = readProjectFile('server/commands/index.ts').matchAll(
      /import \{([^}]+)\} from '\.\/(.+)\.ts'/g,
    );
    const names = new Set(table.all().map(({ name }) => name));
    // A file of one command has its name; a table of several that differ by a line says what they have in common.
    const missing = [...imports]
      .filter(([, imported]) => imported?.includes(',') !== true)
      .map(([, , file]) => file?.split('/').at(-1) ?? '')
      .filter((file) => !names.has(file));
    assert.deepEqual(missing, []);
  });

  it("answers every command of MongoDB's, if only to say that it is not supported yet", function () {
    if (!existsSync(INVENTORY)) {
      console.log(
        `      not checked: there is no ${INVENTORY}; FLINT_FEATURES names the inventory`,
      );
      this.skip();
    }
    const inventory: { readonly items: readonly { readonly name: string }[] } = JSON.parse(
      readFileSync(INVENTORY, 'utf8'),
    );
    const unanswered = inventory.items
      .map(({ name }) => name)
      .filter((name) => COMMAND_NAME.test(name) && !NOT_OURS.has(name))
      .filter((name) => table.tryFind(name) === undefined && !table.unsupportedNames().has(name));
    assert.deepEqual(unanswered, []);
  });
});

/** Without regard to case: `delete` stands between `dbStats` and `distinct`, `reIndex` behind `refineCollectionShardKey`. */
function compareNames(one: string, other: string): number {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * docs/compatibility.md is what the definitions say, and knows all that clients may ask for.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { COMPATIBILITY_DOCUMENT, GROUPS, renderCompatibility } from './compatibility/document.ts';
import { compareNames } from './compatibility/group.ts';
import { MONGODB_NAMES, type GroupName } from './compatibility/mongodb-names.ts';
import { PROJECT_ROOT, readProjectFile } from './source-tree.ts';

/** The inventory of what clients expect; no part of the project. FLINT_FEATURES names its commands.json. */
const INVENTORY = dirname(
  process.env['FLINT_FEATURES'] ?? join(PROJECT_ROOT, '../shared/features/commands.json'),
);

const OPERATOR = /^\$(?!\$)/;
/** Without behaviours "(in parentheses)". */
const PLAIN = /^[^(]/;

/** Which of an inventory file's names belong to a group. */
const INVENTORIES: readonly { group: GroupName; file: string; names: RegExp }[] = [
  // A command that only Atlas has is unknown here, as on any other server.
  { group: 'commands', file: 'commands', names: /^(?!atlasVersion$)\w+$/ },
  { group: 'filterOperators', file: 'query-operators', names: OPERATOR },
  { group: 'updateOperators', file: 'update-operators', names: OPERATOR },
  { group: 'projectionOperators', file: 'projection-operators', names: OPERATOR },
  { group: 'expressions', file: 'expression-operators', names: OPERATOR },
  { group: 'systemVariables', file: 'expression-operators', names: /^\$\$/ },
  { group: 'accumulators', file: 'accumulators', names: OPERATOR },
  { group: 'windowOperators', file: 'window-operators', names: OPERATOR },
  { group: 'stages', file: 'aggregation-stages', names: OPERATOR },
  { group: 'indexes', file: 'index-types', names: PLAIN },
  { group: 'wire', file: 'options', names: /^OP_/ },
];

describe('docs/compatibility.md', () => {
  it('is as new as the definitions (npm run compatibility writes it)', () => {
    const written = readProjectFile(COMPATIBILITY_DOCUMENT).split('\n');
    const lines = renderCompatibility().split('\n');
    const added = lines.filter((line) => !written.includes(line));
    const gone = written.filter((line) => !lines.includes(line));
    assert.deepEqual({ added, gone }, { added: [], gone: [] }, 'run npm run compatibility');
    assert.deepEqual(written, lines, 'run npm run compatibility');
  });

  it('has a table for every group of names', () => {
    const keys = GROUPS.map(({ key }) => key);
    assert.deepEqual(keys.toSorted(), Object.keys(MONGODB_NAMES).toSorted());
  });

  it("lists MongoDB's names once each, alphabetically", () => {
    for (const names of Object.values(MONGODB_NAMES)) {
      assert.deepEqual(names, [...new Set<string>(names)].toSorted(compareNames));
    }
  });

  for (const { group, file, names } of INVENTORIES) {
    it(`knows all ${group} of the inventory`, function () {
      const path = join(INVENTORY, `${file}.json`);
      if (!existsSync(path)) this.skip();
      const inventory: { readonly items: readonly { readonly name: string }[] } = JSON.parse(
        readFileSync(path, 'utf8'),
      );
      const known = new Set<string>(MONGODB_NAMES[group]);
      const expected = inventory.items.map(({ name }) => name).filter((name) => names.test(name));
      assert.ok(expected.length > 0);
      assert.deepEqual(
        expected.filter((name) => !known.has(name)),
        [],
      );
    });
  }
});

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importDocuments } from '../../cli/commands/import.ts';
import { painted } from '../../cli/command-line/colours.ts';
import { settingsFor } from '../../cli/command-line/settings.ts';
import { readArguments } from '../../cli/command-line/subcommand.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../support/programs.ts';

const NAMES = ['copy', 'import'];

describe('cli: settings', () => {
  let directory = '';
  before(() => {
    directory = temporaryDirectory();
  });
  after(() => removeTemporaryDirectory(directory));

  const file = (text: string): string => {
    const path = join(directory, 'settings.yaml');
    writeFileSync(path, text);
    return path;
  };
  const read = (environment: NodeJS.ProcessEnv, ...args: string[]) => {
    const settings = settingsFor(importDocuments, NAMES, { HOME: directory, ...environment });
    const { given, positionals } = readArguments(importDocuments, args, settings);
    return { ...Object.fromEntries(given), positionals };
  };

  it('come from a file, the environment wins over it, and the command line over both', () => {
    const FLINT_CONFIG = file(
      'uri: mongodb://file/\nimport:\n  batchSize: 5\n  writeConcern: majority\n  upsertFields: [a, b]\n',
    );
    assert.deepEqual(read({ FLINT_CONFIG }), {
      uri: 'mongodb://file/',
      batchSize: 5,
      writeConcern: 'majority',
      upsertFields: ['a', 'b'],
      positionals: [],
    });
    const environment = {
      FLINT_CONFIG,
      FLINT_URI: 'mongodb://variable/',
      FLINT_IMPORT_BATCHSIZE: '6',
      FLINT_IMPORT_QUIET: 'true',
    };
    assert.deepEqual(read(environment, '--batchSize', '7', 'items.json'), {
      uri: 'mongodb://variable/',
      batchSize: 7,
      writeConcern: 'majority',
      upsertFields: ['a', 'b'],
      quiet: true,
      positionals: ['items.json'],
    });
  });

  it('do not take the place of a server that was typed', () => {
    const environment = { FLINT_URI: 'mongodb://variable/' };
    assert.deepEqual(read(environment, 'mongodb://typed/'), { positionals: ['mongodb://typed/'] });
    assert.deepEqual(read(environment, '--uri', 'mongodb://typed/'), {
      uri: 'mongodb://typed/',
      positionals: [],
    });
  });

  it('come from the directory for settings, where there may be none', () => {
    assert.deepEqual(read({}), { positionals: [] });
    mkdirSync(join(directory, '.config/flint'), { recursive: true });
    writeFileSync(join(directory, '.config/flint/flint.yaml'), 'import: { quiet: true }\ncopy:\n');
    assert.deepEqual(read({}), { quiet: true, positionals: [] });
    assert.deepEqual(read({ XDG_CONFIG_HOME: join(directory, 'none') }), { positionals: [] });
  });

  const refused: [environment: NodeJS.ProcessEnv, text: string, message: RegExp][] = [
    [{}, 'imports: {}', /there is no subcommand 'imports'/],
    [{}, 'import: { batch: 1 }', /import: there is no option batch/],
    [{}, 'import: { batchSize: x }', /batchSize in .*, import needs a number/],
    [{}, 'import: { drop: true }', /there is no option drop/],
    [{}, '- x', /holds no settings/],
    [{}, 'a: [', /is no YAML/],
    [{ FLINT_IMPORT_BATCH: '1' }, '', /FLINT_IMPORT_BATCH: flint import has no such option/],
    [{ FLINT_IMPORT_BATCHSIZE: 'x' }, '', /FLINT_IMPORT_BATCHSIZE: --batchSize needs a number/],
    [{ FLINT_IMPORT_DROP: 'true' }, '', /FLINT_IMPORT_DROP: flint import has no such option/],
  ];
  for (const [environment, text, message] of refused) {
    it(`refuse ${JSON.stringify(environment)} ${text}`, () => {
      assert.throws(() => read({ FLINT_CONFIG: file(text), ...environment }), message);
    });
  }

  it('refuse a file that was named and is not there', () => {
    assert.throws(() => read({ FLINT_CONFIG: join(directory, 'no.yaml') }), /FLINT_CONFIG: ENOENT/);
  });
});

describe('cli: colours', () => {
  it('are for terminals that want them', () => {
    const terminal = { isTTY: true };
    assert.equal(painted('x', 'red', terminal, {}), '\x1b[31mx\x1b[0m');
    assert.equal(painted('x', 'red', {}, {}), 'x');
    assert.equal(painted('x', 'red', terminal, { NO_COLOR: '1' }), 'x');
    assert.equal(painted('x', 'red', terminal, { NO_COLOR: '' }), '\x1b[31mx\x1b[0m');
    assert.equal(painted('x', 'red', terminal, { TERM: 'dumb' }), 'x');
  });
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copy } from '../../cli/commands/copy.ts';
import { completion, scriptFor } from '../../cli/commands/completion.ts';
import { importDocuments } from '../../cli/commands/import.ts';

const SUBCOMMANDS = [copy, importDocuments, completion(() => Promise.resolve([]))];

/** What bash offers for the last word. */
function offered(...words: string[]): string[] {
  const script = `${scriptFor('bash', SUBCOMMANDS)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_flint; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.split('\n').filter((word) => word !== '');
}

describe('cli: completion', () => {
  it('offers subcommands, options and choices in bash', () => {
    assert.deepEqual(offered('flint', 'co'), ['copy', 'completion']);
    assert.deepEqual(offered('flint', 'copy', '--ns'), ['--nsInclude', '--nsExclude']);
    assert.deepEqual(offered('flint', 'import', '--mode', ''), [
      'insert',
      'upsert',
      'merge',
      'delete',
    ]);
    assert.deepEqual(offered('flint', 'import', 'file'), []);
  });

  it('does not offer what is refused', () => {
    assert.deepEqual(offered('flint', 'import', '--legacy'), []);
  });

  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    it(`is a script that ${shell} reads`, function () {
      if (!['/bin/', '/usr/bin/'].some((place) => existsSync(place + shell))) this.skip();
      const { status, stderr } = spawnSync(shell, ['-n'], {
        input: scriptFor(shell, SUBCOMMANDS),
        encoding: 'utf8',
      });
      assert.deepEqual([status, stderr], [0, '']);
    });
  }

  it('quotes what a shell would read', () => {
    assert.match(
      scriptFor('fish', SUBCOMMANDS),
      /-d 'Only these namespaces; \* stands for anything: '\\''shop\.\*'\\''/,
    );
  });
});

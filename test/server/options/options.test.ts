import assert from 'node:assert/strict';
import { parse } from 'yaml';
import {
  mergeOptions,
  nestOptions,
  parseCommandLine,
  parseConfiguration,
} from '../../../server/options/command-line.ts';
import { FLINTD_OPTIONS, flintdOptionsFrom } from '../../../server/options/flintd-options.ts';
import { helpText } from '../../../server/options/help-text.ts';
import { UsageError } from '../../../server/options/option-table.ts';
import { ParameterSet } from '../../../server/options/parameters.ts';

describe('server/options', () => {
  const line = (...words: string[]) => parseCommandLine(FLINTD_OPTIONS, words);
  const options = (...words: string[]) => flintdOptionsFrom(line(...words));
  const file = (text: string) => parseConfiguration(FLINTD_OPTIONS, parse(text), 'flintd.yaml');
  const refusal = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof UsageError) return error.message;
      throw error;
    }
    return assert.fail('nothing was refused');
  };

  it("has mongod's defaults", () => {
    const defaults = options();
    assert.equal(defaults.port, 27_017);
    assert.equal(defaults.dbPath, '/data/db');
    assert.deepEqual(defaults.bindAddresses, ['127.0.0.1']);
    assert.deepEqual(defaults.compressors, ['snappy', 'zstd', 'zlib']);
    assert.equal(defaults.httpPort, undefined);
  });

  it('takes origins and host names for HTTP, and refuses what is no origin', () => {
    const { httpGuard } = options(
      '--httpAllowedOrigins',
      'https://app.example,http://localhost:3000',
      '--httpAllowedHosts',
      'db.example',
    );
    assert.deepEqual(httpGuard, {
      allowedOrigins: ['https://app.example', 'http://localhost:3000'],
      allowedHosts: ['db.example'],
    });
    assert.deepEqual(options().httpGuard, { allowedOrigins: [], allowedHosts: [] });
    for (const wrong of ['*', 'null', 'app.example', 'https://app.example/', 'https://a.b/c']) {
      assert.match(
        refusal(() => options('--httpAllowedOrigins', wrong)),
        /is no origin/,
      );
    }
  });

  it('reads values after a space and after an equals sign', () => {
    assert.equal(options('--port', '0').port, 0);
    assert.equal(options('--port=27018').port, 27_018);
    assert.equal(options('-port', '5').port, 5);
  });

  it('refuses unknown options with a sentence, and suggests the near one', () => {
    assert.equal(
      refusal(() => line('--prot', '1')),
      'There is no option --prot. Did you mean --port?',
    );
    assert.equal(
      refusal(() => line('--xyzzy')),
      'There is no option --xyzzy.',
    );
    assert.match(
      refusal(() => line('data')),
      /'data' is not an option/,
    );
    assert.match(
      refusal(() => line('--destination', 'file')),
      /no option --destination/,
    );
  });

  it('refuses missing, wrong and repeated values', () => {
    assert.equal(
      refusal(() => line('--port')),
      '--port needs a value.',
    );
    assert.match(
      refusal(() => line('--port', 'x')),
      /needs a number/,
    );
    assert.match(
      refusal(() => line('--port', '1.5')),
      /whole number/,
    );
    assert.match(
      refusal(() => line('--port', '70000')),
      /between 0 and 65535/,
    );
    assert.match(
      refusal(() => line('--port', '1', '--port', '2')),
      /given twice/,
    );
  });

  it('refuses by name what mongod has and FlintDB does not', () => {
    assert.match(
      refusal(() => line('--replSet', 'rs0')),
      /^--replSet: replica sets .* later/,
    );
    assert.match(
      refusal(() => line('--auth')),
      /access control/,
    );
    assert.match(
      refusal(() => line('--fork')),
      /foreground/,
    );
    assert.match(
      refusal(() => file('security: { authorization: enabled }')),
      /access control/,
    );
  });

  it('collects repeated server parameters; --testing is one of them', () => {
    const { parameters } = options('--setParameter', 'a=1', '--setParameter', 'b=x=y', '--testing');
    assert.deepEqual(
      [...parameters],
      [
        ['a', '1'],
        ['b', 'x=y'],
        ['enableTestCommands', '1'],
      ],
    );
    assert.match(
      refusal(() => line('--setParameter', 'novalue')),
      /name=value/,
    );
  });

  it('listens beyond this machine only with --noauth', () => {
    assert.match(
      refusal(() => options('--bind_ip', '0.0.0.0')),
      /--noauth/,
    );
    assert.match(
      refusal(() => options('--bind_ip_all')),
      /--noauth/,
    );
    assert.match(
      refusal(() => options('--bind_ip', 'localhost,10.0.0.1')),
      /10\.0\.0\.1/,
    );
    assert.deepEqual(options('--bind_ip', 'localhost,10.0.0.1', '--noauth').bindAddresses, [
      '127.0.0.1',
      '10.0.0.1',
    ]);
    assert.deepEqual(options('--bind_ip', '127.0.0.2').bindAddresses, ['127.0.0.2']);
    assert.deepEqual(options('--ipv6').bindAddresses, ['127.0.0.1', '::1']);
  });

  it("reads mongod's configuration files, and refuses unknown keys by their path", () => {
    const given = file(`
storage:
  dbPath: /var/lib/flintdb
  journal: { commitIntervalMs: 50 }
systemLog: { destination: file, path: /var/log/f.log, logAppend: true, quiet: true }
net: { port: 27020, bindIp: "127.0.0.1,::1", compression: { compressors: zlib } }
setParameter: { cursorTimeoutMillis: 1000 }
`);
    const read = flintdOptionsFrom(given);
    assert.equal(read.dbPath, '/var/lib/flintdb');
    assert.equal(read.journalCommitIntervalMs, 50);
    assert.equal(read.logAppend, true);
    assert.deepEqual(read.bindAddresses, ['127.0.0.1', '::1']);
    assert.deepEqual(read.compressors, ['zlib']);
    assert.equal(read.parameters.get('cursorTimeoutMillis'), '1000');
    assert.match(
      refusal(() => file('net: { prot: 1 }')),
      /no option net\.prot/,
    );
    assert.match(
      refusal(() => file('[]')),
      /no option at its top/,
    );
    assert.equal(file('').size, 0);
  });

  it('lets the command line win over the file, parameter by parameter', () => {
    const merged = mergeOptions(
      file('{ net: { port: 1 }, setParameter: { a: 1, b: 1 } }'),
      line('--port', '2', '--setParameter', 'b=2'),
    );
    const read = flintdOptionsFrom(merged);
    assert.equal(read.port, 2);
    assert.deepEqual(
      [...read.parameters],
      [
        ['a', '1'],
        ['b', '2'],
      ],
    );
    assert.deepEqual(nestOptions(FLINTD_OPTIONS, merged), {
      net: { port: 2 },
      setParameter: { a: '1', b: '2' },
    });
  });

  it('shows every supported option in --help, and no refused one', () => {
    const help = helpText('usage', FLINTD_OPTIONS);
    for (const option of FLINTD_OPTIONS) {
      const isShown = option.refused === undefined && option.fileOnly !== true;
      assert.equal(new RegExp(`--${option.flag}\\s`).test(help), isShown, option.flag);
    }
  });

  it('has each flag and each place in the file once', () => {
    const flags = FLINTD_OPTIONS.map((option) => option.flag);
    const places = FLINTD_OPTIONS.flatMap((option) => option.yaml ?? []);
    assert.equal(new Set(flags).size, flags.length);
    assert.equal(new Set(places).size, places.length);
  });

  it('reads parameters by their kind, and refuses unknown, badly timed and bad ones', () => {
    const parameters = new ParameterSet();
    assert.equal(parameters.set('cursorTimeoutMillis', '5', 'startup'), 600_000);
    assert.equal(parameters.get('cursorTimeoutMillis'), 5);
    parameters.set('quiet', '1', 'startup');
    assert.equal(parameters.get('quiet'), true);
    parameters.set('strictStandalone', '1', 'startup');
    assert.throws(() => parameters.set('nope', 1, 'runtime'), { code: 72 });
    assert.throws(() => parameters.set('enableTestCommands', true, 'runtime'), { code: 20 });
    assert.throws(() => parameters.set('cursorTimeoutMillis', 0, 'runtime'), { code: 2 });
    assert.throws(() => parameters.set('cursorTimeoutMillis', 'x', 'runtime'), { code: 2 });
  });
});

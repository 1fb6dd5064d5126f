/**
 * Connection strings and options of a client.
 */
import assert from 'node:assert/strict';
import { parseConnectionString } from '../../client/options/connection-string.ts';
import { parseClientOptions } from '../../client/options/parse-options.ts';

const hostsOf = (uri: string): string[] => parseConnectionString(uri).hosts.map(String);

describe('a connection string', () => {
  const GOOD: [string, string[]][] = [
    ['mongodb://localhost', ['localhost:27017']],
    ['mongodb://a,b:1,[::1]:2/', ['a:27017', 'b:1', '[::1]:2']],
    ['mongodb://HOST.Example/', ['host.example:27017']],
    ['mongodb://%2Ftmp%2Fmongodb-27017.sock/db', ['/tmp/mongodb-27017.sock']],
    ['mongodb+srv://cluster.example.org/db', ['cluster.example.org:27017']],
    ['http://localhost:8080/db', ['localhost:8080']],
    ['https://db.example.org', ['db.example.org:443']],
  ];
  for (const [uri, hosts] of GOOD) {
    it(`${uri} names ${hosts.join(' and ')}`, () => assert.deepEqual(hostsOf(uri), hosts));
  }

  it('decodes user, password and database', () => {
    const parsed = parseConnectionString('mongodb://a%40b:p%3Aw@h/d%20b?x=%26');
    assert.deepEqual(
      [parsed.username, parsed.password, parsed.database, parsed.options],
      ['a@b', 'p:w', 'd b', [['x', '&']]],
    );
  });

  it('may end a list of tags with the empty set, which is any server', () => {
    const uri =
      'mongodb://h/?readPreference=secondary&readPreferenceTags=dc:ny&readPreferenceTags=';
    assert.deepEqual(parseClientOptions(uri).readPreference.tags, [{ dc: 'ny' }, {}]);
  });

  const BAD: [string, RegExp][] = [
    ['', /Invalid scheme/],
    ['postgres://h', /Invalid scheme/],
    ['mongodb://', /Protocol and host list/],
    ['mongodb://@h', /empty userinfo/],
    ['mongodb://a:b:c@h', /Password contains unescaped/],
    ['mongodb://a%zz@h', /Username contains unescaped/],
    ['mongodb://h:0', /Invalid port \(zero\)/],
    ['mongodb://h:65536', /Unable to parse/],
    ['mongodb://h:x', /Invalid connection string/],
    ['mongodb://a,,b', /Invalid connection string/],
    ['mongodb+srv://a,b', /multiple service names/],
    ['mongodb+srv://a:1', /cannot have port/],
    ['mongodb://h/?x', /no value/],
  ];
  for (const [uri, message] of BAD) {
    it(`'${uri}' is refused`, () => {
      assert.throws(() => parseConnectionString(uri), { message });
    });
  }
});

describe('the options of a client', () => {
  const valueOf = (query: string, name: string): unknown =>
    parseClientOptions(`mongodb://h/?${query}`).all[name];

  it('have types and defaults', () => {
    assert.equal(valueOf('maxPoolSize=7', 'maxPoolSize'), 7);
    assert.equal(valueOf('', 'maxPoolSize'), 100);
    assert.equal(valueOf('retryWrites=false', 'retryWrites'), false);
    assert.deepEqual(valueOf('compressors=zstd,snappy', 'compressors'), ['zstd', 'snappy']);
    assert.equal(valueOf('MAXPOOLSIZE=3', 'maxPoolSize'), 3);
    assert.equal(valueOf('ssl=true', 'tls'), true);
    assert.equal(parseClientOptions('mongodb+srv://h').all['tls'], true);
  });

  it('in code win over the connection string', () => {
    const { all } = parseClientOptions('mongodb://h/?maxPoolSize=7', { maxPoolSize: 9 });
    assert.equal(all['maxPoolSize'], 9);
  });

  it('make concerns, a read preference and credentials', () => {
    const settings = parseClientOptions(
      'mongodb://u:p@h/db?w=majority&wtimeoutMS=5&journal=true&readConcernLevel=local&readPreference=secondary&readPreferenceTags=dc:a,rack:1&readPreferenceTags=dc:b&maxStalenessSeconds=120',
    );
    assert.deepEqual(settings.writeConcern?.toCommand(), { w: 'majority', wtimeout: 5, j: true });
    assert.equal(settings.readConcern?.level, 'local');
    assert.deepEqual(settings.readPreference.toJSON(), {
      mode: 'secondary',
      tags: [{ dc: 'a', rack: '1' }, { dc: 'b' }],
      maxStalenessSeconds: 120,
    });
    assert.deepEqual(settings.credentials, {
      username: 'u',
      password: 'p',
      source: 'db',
      mechanism: 'DEFAULT',
    });
  });

  const REFUSED: [string, Record<string, unknown>, RegExp][] = [
    ['nope=1', {}, /option nope is not supported/],
    ['nope=1&neither=2', {}, /options nope, neither are not supported/],
    ['proxyHost=x', {}, /proxyhost is not supported.*SOCKS5/],
    ['loadBalanced=true', {}, /load balancers/],
    ['', { autoEncryption: {} }, /field level encryption/],
    ['maxPoolSize=x', {}, /Expected maxPoolSize to be stringified int value, got: x/],
    ['maxPoolSize=-1', {}, /can only be a positive int/],
    ['retryWrites=yes', {}, /must be either "true" or "false"/],
    ['compressors=lz4', {}, /lz4 is not a valid compression mechanism/],
    ['readPreference=any', {}, /Unknown ReadPreference value: any/],
    ['tls=true&ssl=false', {}, /All values of tls\/ssl must be the same/],
    ['w=1&w=2', {}, /cannot appear more than once/],
    ['serverApi=1', {}, /can only be passed to the client/],
    ['', { serverApi: '2' }, /Invalid server API version=2/],
    ['authMechanism=PLAIN', {}, /Username required/],
    ['srvMaxHosts=1', {}, /non-srv/],
    ['tlsInsecure=true&tlsAllowInvalidHostnames=true', {}, /cannot be used with/],
  ];
  for (const [query, options, message] of REFUSED) {
    it(`refuse '${query}' ${JSON.stringify(options)}`, () => {
      assert.throws(() => parseClientOptions(`mongodb://h/?${query}`, options), { message });
    });
  }

  it('refuse a direct connection to several hosts', () => {
    assert.throws(() => parseClientOptions('mongodb://a,b/?directConnection=true'), /exactly one/);
  });
});

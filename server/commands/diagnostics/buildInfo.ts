/** buildInfo: versions. */
import { versions } from 'node:process';
import { FLINTDB_VERSION } from '../../../common/version.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../../common/limits.ts';
import { defineCommand } from '../../command/define-command.ts';
import { MONGODB_VERSION, MONGODB_VERSION_PARTS } from '../../version.ts';

export const buildInfo = defineCommand({
  name: 'buildInfo',
  aliases: ['buildinfo'],
  help: 'Says which version of MongoDB this server presents itself as, and which FlintDB it is.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  beforeAuth: true,
  lenient: true,
  parse: () => undefined,
  execute: () => undefined,
  reply: (_request, op) => ({
    version: MONGODB_VERSION,
    gitVersion: '0000000000000000000000000000000000000000',
    modules: [],
    allocator: 'system',
    javascriptEngine: op.service.scripts === undefined ? 'none' : 'quickjs-ng',
    sysInfo: 'deprecated',
    versionArray: MONGODB_VERSION_PARTS,
    openssl: { running: `OpenSSL ${versions.openssl}`, compiled: versions.openssl },
    buildEnvironment: {
      distarch: process.arch,
      target_arch: process.arch,
      target_os: process.platform,
    },
    bits: 64,
    debug: false,
    maxBsonObjectSize: MAX_BSON_OBJECT_BYTES,
    storageEngines: ['flintdb'],
    flintdb: { version: FLINTDB_VERSION, node: versions.node },
  }),
});

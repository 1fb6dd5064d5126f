/**
 * _configsvrSetDefaultRWConcern and _configsvrGetDefaultRWConcern: read and write concern of commands whose client names none.
 *
 * Kept as MongoDB keeps them, in config.settings; routers read them there. Without a setting the implicit ones hold: what is on one
 * server is read, and a write waits for no journal.
 * Source: MongoDB's manual, "setDefaultRWConcern", "getDefaultRWConcern".
 */
import {
  dateValue,
  documentOf,
  EMPTY_DOCUMENT,
  getField,
  isEmpty,
  stringValue,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CommandBody } from '../../server/index.ts';
import {
  checkWriteConcern,
  defineCommand,
  parseReadConcern,
  parseWriteConcern,
  type Command,
  type OperationContext,
  type ReplyFields,
} from '../../server/cluster.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits } from './arguments.ts';

const KEY = { set: 'settings', id: stringValue('ReadWriteConcernDefaults') };

const IMPLICIT_READ = documentOf({ level: 'local' });
const IMPLICIT_WRITE = documentOf({ w: 1, wtimeout: 0 });

interface Defaults {
  /** Empty: the implicit one; undefined: as it was. */
  readonly read: Buffer | undefined;
  readonly write: Buffer | undefined;
}

export function setDefaultRWConcern(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrSetDefaultRWConcern',
      'Sets the default read and write concern.',
      'setDefaultRWConcern',
    ),
    parse: (body): Defaults => {
      const read = readConcernIn(body);
      const write = writeConcernIn(body);
      uassert(
        read !== undefined || write !== undefined,
        'BadValue',
        'At least one of the "defaultReadConcern" or "defaultWriteConcern" fields must be present',
      );
      return { read, write };
    },
    execute: (defaults, op) => server().locks.run('settings', () => set(server(), op, defaults)),
    reply: (document) => shown(document, false),
  });
}

export function getDefaultRWConcern(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrGetDefaultRWConcern',
      'Shows the default read and write concern.',
      'getDefaultRWConcern',
    ),
    parse: (body) => body.safeBoolean('inMemory', false),
    execute: async (inMemory) => ({ inMemory, stored: await server().catalog.topology.get(KEY) }),
    reply: ({ inMemory, stored }) => shown(stored ?? EMPTY_DOCUMENT, inMemory),
  });
}

function readConcernIn(body: CommandBody): Buffer | undefined {
  const concern = body.document('defaultReadConcern', undefined);
  if (concern === undefined || isEmpty(concern)) return concern;
  const { level, hasClusterTime } = parseReadConcern(present(body, 'defaultReadConcern'));
  uassert(
    !hasClusterTime,
    'BadValue',
    "'afterClusterTime' and 'atClusterTime' are not suitable for the default read concern",
  );
  uassert(
    getField(concern, 'provenance') === undefined,
    'BadValue',
    "'provenance' must be unset in default read concern",
  );
  uassert(
    level === 'local' || level === 'available' || level === 'majority',
    'BadValue',
    `level: '${level ?? ''}' is not suitable for the default read concern`,
  );
  return documentOf({ level });
}

function writeConcernIn(body: CommandBody): Buffer | undefined {
  const concern = body.document('defaultWriteConcern', undefined);
  if (concern === undefined || isEmpty(concern)) return concern;
  const parsed = parseWriteConcern(present(body, 'defaultWriteConcern'));
  uassert(
    parsed.w !== 0,
    'BadValue',
    'Unacknowledged write concern is not suitable for the default write concern',
  );
  uassert(
    getField(concern, 'provenance') === undefined,
    'BadValue',
    "'provenance' must be unset in default write concern",
  );
  checkWriteConcern(parsed);
  return documentOf({ w: parsed.w, j: parsed.journal, wtimeout: parsed.timeoutMs });
}

function present(body: CommandBody, name: string): RawValue {
  const value = body.value(name);
  if (value === undefined) throw body.missing(name);
  return value;
}

async function set(
  { catalog, host }: ConfigServer,
  op: OperationContext,
  { read, write }: Defaults,
): Promise<Buffer> {
  const before = await catalog.topology.get(KEY);
  const old = before ?? EMPTY_DOCUMENT;
  uassert(
    write === undefined || !isEmpty(write) || getField(old, 'defaultWriteConcern') === undefined,
    'IllegalOperation',
    'The global default write concern cannot be unset once it is set.',
  );
  const value = documentOf({
    _id: KEY.id,
    defaultReadConcern: kept(read, getField(old, 'defaultReadConcern')),
    defaultWriteConcern: kept(write, getField(old, 'defaultWriteConcern')),
    updateOpTime: catalog.newTimestamp(),
    updateWallClockTime: dateValue(host.service.clock.wallMs()),
  });
  const change = { expected: [{ key: KEY, value: before }], puts: [{ key: KEY, value }] };
  if (await catalog.change(op, change)) return value;
  throw new CommandError('ConflictingOperationInProgress', 'The defaults changed meanwhile');
}

function kept(given: Buffer | undefined, before: RawValue | undefined): Buffer | undefined {
  if (given === undefined) return before?.asDocument();
  return isEmpty(given) ? undefined : given;
}

function shown(document: Buffer, inMemory: boolean): ReplyFields {
  const read = getField(document, 'defaultReadConcern');
  const write = getField(document, 'defaultWriteConcern');
  return {
    defaultReadConcern: read ?? IMPLICIT_READ,
    defaultWriteConcern: write ?? IMPLICIT_WRITE,
    defaultWriteConcernSource: write === undefined ? 'implicit' : 'global',
    defaultReadConcernSource: read === undefined ? 'implicit' : 'global',
    updateOpTime: getField(document, 'updateOpTime'),
    updateWallClockTime: getField(document, 'updateWallClockTime'),
    localUpdateWallClockTime: getField(document, 'updateWallClockTime'),
    inMemory: inMemory ? true : undefined,
  };
}

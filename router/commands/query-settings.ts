/**
 * setQuerySettings and removeQuerySettings, and the stage $querySettings.
 * Source: MongoDB's manual, "setQuerySettings", "removeQuerySettings", "$querySettings".
 */
import {
  BsonType,
  DocumentBuilder,
  documentOf,
  fieldsOf,
  getField,
  isEmpty,
  type RawValue,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { indexHintsIn, type ReplyBody } from '../../server/cluster.ts';
import { databaseOf } from '../network/read-all.ts';
import { queryShapeOf, type QueryShape } from '../settings/query-shape.ts';
import type { Call } from './routed-command.ts';

export async function runSetQuerySettings(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const settings = checkedSettings(body.document('settings'));
  body.rejectUnknownFields();
  const { hash, query } = shapeIn(call);
  const command = documentOf({
    _configsvrSetQuerySettings: hash,
    representativeQuery: query,
    settings,
    $db: 'admin',
  });
  const reply = await router.shards.config.command(command, op);
  await router.querySettings.refresh(op);
  const merged = getField(reply, 'settings')?.asDocument() ?? settings;
  return { queryShapeHash: hash, settings: Buffer.from(merged) };
}

export async function runRemoveQuerySettings(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  body.rejectUnknownFields();
  const { hash } = shapeIn(call);
  const command = documentOf({ _configsvrRemoveQuerySettings: hash, $db: 'admin' });
  await router.shards.config.command(command, op);
  await router.querySettings.refresh(op);
  return {};
}

const HASH = /^[0-9A-Fa-f]{64}$/;
const INTERNAL: ReadonlySet<string> = new Set(['admin', 'config', 'local']);

/** The first field: a query with its `$db`, or the hash of its shape. */
function shapeIn({ op, body }: Call): { readonly hash: string; readonly query?: Buffer } {
  const { target } = body;
  if (target.type === BsonType.string) {
    uassert(HASH.test(target.asString()), 'BadValue', 'a hash has 64 hexadecimal digits');
    return { hash: target.asString().toUpperCase() };
  }
  if (target.type !== BsonType.object) {
    throw body.wrongType(body.command, target, "expected types '[object, string]'");
  }
  const query = target.asDocument();
  const database = getField(query, '$db');
  if (database?.type !== BsonType.string) {
    throw new CommandError(
      'IDLFailedToParse',
      `BSON field '${body.command}.$db' is missing but a required field`,
    );
  }
  const shape = queryShapeOf(op, query, database.asString());
  checkShape(shape);
  return { hash: shape.hash, query };
}

function checkShape({ namespace, isById }: QueryShape): void {
  uassert(
    !INTERNAL.has(databaseOf(namespace)),
    8_584_900,
    'setQuerySettings command cannot be used on internal databases',
  );
  uassert(
    !/^[^.]*\.system\./.test(namespace),
    8_584_901,
    'setQuerySettings command cannot be used on system collections',
  );
  uassert(
    !isById,
    7_746_606,
    'setQuerySettings command cannot be used on find queries eligible for IDHACK',
  );
}

function checkedSettings(settings: Buffer): Buffer {
  uassert(
    !isEmpty(settings),
    7_746_604,
    'settings field in setQuerySettings command cannot be empty',
  );
  for (const [name, value] of fieldsOf(settings)) checkSetting(name, value);
  indexHintsIn(settings);
  return settings;
}

function checkSetting(name: string, value: RawValue): void {
  switch (name) {
    case 'indexHints':
    case 'comment':
      return;
    case 'reject':
      uassert(
        value.type === BsonType.bool,
        'TypeMismatch',
        "BSON field 'setQuerySettings.settings.reject' is the wrong type, expected type 'bool'",
      );
      return;
    case 'queryFramework':
      throw new CommandError(
        'NotImplemented',
        'settings.queryFramework is not supported by FlintDB: it has one framework only',
      );
    default:
      throw new CommandError(
        'IDLUnknownField',
        `BSON field 'setQuerySettings.settings.${name}' is an unknown field.`,
      );
  }
}

/** The documents of $querySettings. */
export function shownSettings({ router, op }: Pick<Call, 'router' | 'op'>, argument: Buffer) {
  const withShape = getField(argument, 'showDebugQueryShape')?.isTruthy() === true;
  return Array.from(router.querySettings.all(), ({ hash, settings, query }) => {
    const out = new DocumentBuilder().appendString('queryShapeHash', hash);
    out.appendDocument('settings', settings).appendDocument('representativeQuery', query);
    if (withShape) {
      const database = getField(query, '$db')?.asString() ?? '';
      const { namespace, command, text } = queryShapeOf(op, query, database);
      out.beginDocument('debugQueryShape').beginDocument('cmdNs');
      out.appendString('db', databaseOf(namespace));
      out.appendString('coll', namespace.slice(databaseOf(namespace).length + 1)).end();
      out.appendString('command', command).appendString('shape', text).end();
    }
    return out.finish();
  });
}

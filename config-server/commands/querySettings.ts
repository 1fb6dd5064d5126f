/**
 * _configsvrSetQuerySettings and _configsvrRemoveQuerySettings: what routers do with queries of one shape.
 *
 * Kept in config.querySettings, one document for each shape by its hash; routers read them there. The router has made the hash, and has
 * checked what is set.
 * Source: MongoDB's manual, "setQuerySettings", "removeQuerySettings".
 */
import { DocumentBuilder, documentOf, fieldsOf, getField, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { defineCommand, type Command, type OperationContext } from '../../server/cluster.ts';
import type { ConfigServer, ConfigServerSource } from '../config-server.ts';
import { configTraits, textIn } from './arguments.ts';

interface SetRequest {
  readonly hash: string;
  /** A query of that shape; undefined: settings for the hash are there already. */
  readonly query: Buffer | undefined;
  readonly settings: Buffer;
}

const LOCK = 'querySettings';

export function setQuerySettings(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrSetQuerySettings',
      'Sets what is done with queries.',
      'querySettings',
    ),
    parse: (body): SetRequest => ({
      hash: textIn(body),
      query: body.document('representativeQuery', undefined),
      settings: body.document('settings'),
    }),
    execute: (request, op) => server().locks.run(LOCK, () => set(server(), op, request)),
    reply: (settings) => ({ settings }),
  });
}

export function removeQuerySettings(server: ConfigServerSource): Command {
  return defineCommand({
    ...configTraits(
      '_configsvrRemoveQuerySettings',
      'Takes back what is done with queries.',
      'querySettings',
    ),
    parse: (body) => textIn(body),
    execute: (hash, op) => server().locks.run(LOCK, () => write(server(), op, hash, undefined)),
    reply: () => ({}),
  });
}

/** Fields that are set go before those that were. */
async function set(
  server: ConfigServer,
  op: OperationContext,
  { hash, query, settings }: SetRequest,
): Promise<Buffer> {
  const before = await server.catalog.topology.get(keyOf(hash));
  const representative = query ?? (before && getField(before, 'representativeQuery')?.asDocument());
  if (representative === undefined) {
    throw new CommandError(
      7_746_401,
      'New query settings can only be created with a query instance, but a query hash was given.',
    );
  }
  const merged = new DocumentBuilder();
  for (const [name, value] of fieldsOf(before ? settingsOf(before) : documentOf({}))) {
    if (getField(settings, name) === undefined) merged.append(name, value);
  }
  const all = merged.appendElementsOf(settings).finish();
  const document = documentOf({ _id: hash, settings: all, representativeQuery: representative });
  await write(server, op, hash, document);
  return all;
}

async function write(
  { catalog }: ConfigServer,
  op: OperationContext,
  hash: string,
  value: Buffer | undefined,
): Promise<void> {
  const key = keyOf(hash);
  const before = await catalog.topology.get(key);
  if (before === undefined && value === undefined) return;
  const change = { expected: [{ key, value: before }], puts: [{ key, value }] };
  const what = value === undefined ? 'removeQuerySettings' : 'setQuerySettings';
  await catalog.change(op, change, { what, namespace: '', details: documentOf({ hash }) });
}

function keyOf(hash: string) {
  return { set: 'querySettings', id: stringValue(hash) };
}

function settingsOf(document: Buffer): Buffer {
  return getField(document, 'settings')?.asDocument() ?? documentOf({});
}

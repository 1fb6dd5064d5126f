/**
 * Commands, indexes, parameters and the wire protocol, from their tables.
 */
import assert from 'node:assert/strict';
import { serialize, type Document } from 'bson';
import { createCommandTable } from '../../../server/commands/index.ts';
import { FIXED_PARAMETERS } from '../../../server/commands/diagnostics/getParameter.ts';
import { parseIndexSpecification } from '../../../server/catalog/index-specification.ts';
import { ParameterSet } from '../../../server/options/parameters.ts';
import { getField } from '../../../bson/index.ts';
import { codeNameOf, CommandError, ERROR_CODES } from '../../../common/errors.ts';
import {
  commandOfOpQuery,
  compressMessage,
  compressorByName,
  decompressMessage,
  encodeOpMsg,
  encodeOpQuery,
  OP_MSG,
  parseMessage,
  parseOpQuery,
  prepareCompressors,
  type OpMsg,
  type OpMsgContents,
} from '../../../wire/index.ts';
import { supportByDefinition, supportByExample, type Support } from './evidence.ts';
import type { Group } from './group.ts';

const bson = (document: Document): Buffer => Buffer.from(serialize(document));

const commands = createCommandTable();

function command(name: string): Support {
  const refusal = commands.tryFind(name)?.refusal;
  if (refusal !== undefined) {
    const code = typeof refusal === 'number' ? refusal : ERROR_CODES[refusal];
    return {
      works: false,
      note: `error \`${codeNameOf(code)}\` (${code}), as from a standalone server`,
    };
  }
  return supportByDefinition(name, commandNote(name), () => commands.find(name));
}

function commandNote(name: string): string | undefined {
  const found = commands.tryFind(name);
  if (found === undefined) return undefined;
  const aliases = (found.aliases ?? []).map((alias) => `\`${alias}\``).join(', ');
  return aliases === '' ? found.help : `${found.help} Also ${aliases}.`;
}

const parameters = new ParameterSet();

function parameter(name: string): Support {
  const found = parameters.all().find((each) => each.name === name);
  const note =
    found?.help ?? (name in FIXED_PARAMETERS ? 'Shown by getParameter only.' : undefined);
  return supportByDefinition(name, note, () => parameters.set(name, 1, 'startup'));
}

function index(key: Document, options: Document = {}): Buffer {
  return parseIndexSpecification(bson({ key, name: 'x', ...options })).spec;
}

const INDEX_EXAMPLES: Readonly<Record<string, () => Buffer>> = {
  '2d': () => index({ a: '2d' }),
  '2dsphere': () => index({ a: '2dsphere' }),
  _id: () => index({ _id: 1 }),
  clustered: () => index({ _id: 1 }, { unique: true, clustered: true }),
  collation: () => index({ a: 1 }, { collation: { locale: 'en' } }),
  compound: () => index({ a: 1, b: -1 }),
  'compound wildcard': () => index({ a: 1, 'b.$**': 1 }),
  descending: () => index({ a: -1 }),
  hashed: () => index({ a: 'hashed' }),
  hidden: () => index({ a: 1 }, { hidden: true }),
  multikey: () => index({ 'a.b': 1 }),
  partial: () => index({ a: 1 }, { partialFilterExpression: { a: { $gt: 1 } } }),
  single: () => index({ a: 1 }),
  sparse: () => index({ a: 1 }, { sparse: true }),
  text: () => index({ a: 'text' }),
  ttl: () => index({ a: 1 }, { expireAfterSeconds: 60 }),
  unique: () => index({ a: 1 }, { unique: true }),
  wildcard: () => index({ '$**': 1 }),
};

/** An index with the option; where the option needs a kind of its own, one of that kind. */
const INDEX_OPTION_EXAMPLES: Readonly<Record<string, () => Buffer>> = {
  '2dsphereIndexVersion': () => index({ a: '2dsphere' }, { '2dsphereIndexVersion': 3 }),
  background: () => index({ a: 1 }, { background: true }),
  bits: () => index({ a: '2d' }, { bits: 26 }),
  collation: INDEX_EXAMPLES['collation'],
  default_language: () => index({ a: 'text' }, { default_language: 'english' }),
  expireAfterSeconds: INDEX_EXAMPLES['ttl'],
  hidden: INDEX_EXAMPLES['hidden'],
  language_override: () => index({ a: 'text' }, { language_override: 'language' }),
  max: () => index({ a: '2d' }, { max: 180 }),
  min: () => index({ a: '2d' }, { min: -180 }),
  partialFilterExpression: INDEX_EXAMPLES['partial'],
  prepareUnique: () => index({ a: 1 }, { prepareUnique: true }),
  sparse: INDEX_EXAMPLES['sparse'],
  storageEngine: () => index({ a: 1 }, { storageEngine: { wiredTiger: {} } }),
  textIndexVersion: () => index({ a: 'text' }, { textIndexVersion: 3 }),
  unique: INDEX_EXAMPLES['unique'],
  weights: () => index({ a: 'text' }, { weights: { a: 2 } }),
  wildcardProjection: () => index({ '$**': 1 }, { wildcardProjection: { a: 1 } }),
};

function indexOption(name: string): Support {
  const example = exampleOf(INDEX_OPTION_EXAMPLES, name);
  let isKept = false;
  const support = supportByExample(() => (isKept = getField(example(), name) !== undefined));
  return support.works && !isKept ? { works: true, note: 'accepted, without effect' } : support;
}

await prepareCompressors(['zstd']);

const PING = bson({ ping: 1, $db: 'admin' });

/** What arrives of a message. */
function arriving(contents: Omit<OpMsgContents, 'requestId' | 'body'>): OpMsg {
  const message = parseMessage(encodeOpMsg({ requestId: 1, body: PING, ...contents }));
  assert.ok(message.kind === 'msg');
  return message;
}

function queryFor(name: string): string {
  const query = bson({ [name]: 1 });
  const message = encodeOpQuery({ requestId: 1, fullCollectionName: 'admin.$cmd', query });
  return commandOfOpQuery(parseOpQuery(message)).name;
}

/** Refused by MongoDB, too: what counts is the same error. */
function refuses(code: string, attempt: () => unknown): void {
  assert.throws(attempt, (error) => error instanceof CommandError && error.codeName === code);
}

function withUnknownFlag(): Buffer {
  const message = encodeOpMsg({ requestId: 1, body: PING });
  message.writeUInt32LE(1 << 15, OP_MSG.flagBits);
  return message;
}

function withDamage(): Buffer {
  const message = encodeOpMsg({ requestId: 1, body: PING, checksum: true });
  message[message.length - 1] ^= 1;
  return message;
}

function checksum(): void {
  assert.equal(arriving({ checksum: true }).checksumPresent, true);
  refuses('ChecksumMismatch', () => parseMessage(withDamage()));
}

function compressed(name: 'snappy' | 'zlib' | 'zstd'): void {
  const plain = encodeOpMsg({ requestId: 1, body: PING });
  const sent = compressMessage(plain, compressorByName(name));
  assert.ok(Buffer.isBuffer(sent));
  const arrived = decompressMessage(sent);
  assert.ok(!(arrived instanceof Promise));
  assert.ok(arrived.message.equals(plain));
}

const WIRE_EXAMPLES: Readonly<Record<string, () => unknown>> = {
  'OP_COMPRESSED snappy': () => compressed('snappy'),
  'OP_COMPRESSED zlib': () => compressed('zlib'),
  'OP_COMPRESSED zstd': () => compressed('zstd'),
  'OP_MSG checksum': checksum,
  'OP_MSG document sequence': () => {
    const sequences = [{ identifier: 'documents', documents: [PING] }];
    assert.equal(arriving({ sequences }).sequences[0].documents.length, 1);
  },
  'OP_MSG exhaustAllowed': () => assert.ok(arriving({ exhaustAllowed: true }).exhaustAllowed),
  'OP_MSG moreToCome': () => assert.ok(arriving({ moreToCome: true }).moreToCome),
  'OP_MSG unknown required flag': () =>
    refuses('IllegalOpMsgFlag', () => parseMessage(withUnknownFlag())),
  'OP_QUERY hello': () => assert.equal(queryFor('hello'), 'hello'),
  'OP_QUERY other commands': () => refuses('UnsupportedOpQueryCommand', () => queryFor('ping')),
};

const WIRE_NOTES: Readonly<Record<string, string>> = {
  'OP_MSG unknown required flag': 'refused with `IllegalOpMsgFlag`, as by MongoDB',
  'OP_QUERY hello': 'the handshake of old drivers',
  'OP_QUERY other commands': 'refused with `UnsupportedOpQueryCommand`, as by MongoDB',
};

function exampleOf<Result>(
  examples: Readonly<Record<string, () => Result>>,
  name: string,
): () => Result {
  const example = examples[name];
  assert.ok(example, `there is no example of ${name}`);
  return example;
}

export const COMMAND_GROUP: Group = {
  key: 'commands',
  title: 'Commands',
  defined: () => [...commands.all().map(({ name }) => name), ...commands.unsupportedNames()],
  support: command,
};

export const SERVER_GROUPS: readonly Group[] = [
  {
    key: 'indexes',
    title: 'Indexes',
    defined: () => [],
    support: (name) => supportByExample(exampleOf(INDEX_EXAMPLES, name)),
  },
  { key: 'indexOptions', title: 'Index options', defined: () => [], support: indexOption },
  {
    key: 'parameters',
    title: 'Server parameters',
    defined: () => [...parameters.all().map(({ name }) => name), ...Object.keys(FIXED_PARAMETERS)],
    support: parameter,
  },
  {
    key: 'wire',
    title: 'Wire protocol',
    defined: () => [],
    support: (name) => supportByExample(exampleOf(WIRE_EXAMPLES, name), WIRE_NOTES[name]),
  },
];

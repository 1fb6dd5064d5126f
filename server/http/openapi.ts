/**
 * The OpenAPI 3.1 document of the HTTP port, made from the definitions of its actions.
 */
import { FLINTDB_VERSION } from '../../common/version.ts';
import { ACTIONS } from './actions/actions.ts';
import type { Action, FieldType } from './actions/define-action.ts';
import { FORMATS, LINES_TYPE } from './formats/formats.ts';
import { PROBLEM_TYPE } from './problem.ts';

type Json = Readonly<Record<string, unknown>>;

const SCHEMAS: Readonly<Record<FieldType, Json>> = {
  string: { type: 'string' },
  object: { type: 'object' },
  documents: { type: 'array', items: { type: 'object' } },
  update: { oneOf: [{ type: 'object' }, { type: 'array', items: { type: 'object' } }] },
  boolean: { type: 'boolean' },
  count: { type: 'integer', minimum: 0 },
};

export function openApiDocument(): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'FlintDB',
      version: FLINTDB_VERSION,
      description:
        "The actions of MongoDB's Data API, and all commands, over HTTP. Documents are Extended JSON, MessagePack or BSON.",
    },
    paths: {
      ...Object.fromEntries(
        ACTIONS.map((action) => [`/action/${action.name}`, { post: actionOperation(action) }]),
      ),
      '/command': { post: commandOperation() },
      '/openapi.json': { get: textOperation('openapi', 'This document.', 'application/json') },
      '/healthz': { get: textOperation('healthz', 'Whether the process answers.', 'text/plain') },
      '/readyz': {
        get: {
          ...textOperation('readyz', 'Whether clients may be sent here.', 'text/plain'),
          responses: {
            200: { description: 'They may.', content: { 'text/plain': {} } },
            503: { description: 'The server stops.', content: { 'text/plain': {} } },
          },
        },
      },
      '/metrics': { get: textOperation('metrics', 'Counters for Prometheus.', 'text/plain') },
    },
    components: { schemas: { Problem: problemSchema() } },
  };
}

function actionOperation(action: Action): Json {
  const fields = Object.entries(action.fields);
  const properties = fields.map(([name, { type, help }]) => [
    name,
    { ...SCHEMAS[type], description: help },
  ]);
  const schema = {
    type: 'object',
    required: fields.filter(([, field]) => field.required === true).map(([name]) => name),
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  };
  const answer = { type: 'object', properties: action.answers.fields };
  const isCursor = 'documents' in action.answers.fields;
  return {
    operationId: action.name,
    summary: action.help,
    requestBody: { required: true, content: inAllFormats(schema) },
    responses: {
      ...Object.fromEntries(
        action.answers.statuses.map((status) => [
          status,
          {
            description: status === 201 ? 'A document was inserted.' : 'Done.',
            content: { ...inAllFormats(answer), ...(isCursor ? LINES : {}) },
          },
        ]),
      ),
      default: PROBLEM,
    },
  };
}

function commandOperation(): Json {
  const schema = {
    type: 'object',
    description: 'A command, its name first, and `$db`.',
    required: ['$db'],
    properties: { $db: { type: 'string' } },
  };
  return {
    operationId: 'runCommand',
    summary: 'Runs a command.',
    requestBody: { required: true, content: inAllFormats(schema) },
    responses: {
      200: {
        description: "The command's reply.",
        content: { ...inAllFormats({ type: 'object' }), ...LINES },
      },
      default: PROBLEM,
    },
  };
}

function textOperation(operationId: string, summary: string, mediaType: string): Json {
  return {
    operationId,
    summary,
    responses: { 200: { description: summary, content: { [mediaType]: {} } }, default: PROBLEM },
  };
}

function inAllFormats(schema: Json): Json {
  return Object.fromEntries(FORMATS.map(({ mediaType }) => [mediaType, { schema }]));
}

const LINES: Json = {
  [LINES_TYPE]: { schema: { type: 'string', description: 'One document a line.' } },
};

const PROBLEM: Json = {
  description: 'What went wrong.',
  content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
};

function problemSchema(): Json {
  return {
    type: 'object',
    required: ['type', 'status', 'title', 'detail'],
    properties: {
      type: { type: 'string' },
      status: { type: 'integer' },
      title: { type: 'string' },
      detail: { type: 'string' },
      code: { type: 'integer', description: "MongoDB's error code." },
      codeName: { type: 'string' },
      errorLabels: { type: 'array', items: { type: 'string' } },
      reply: { type: 'object', description: 'Of /command: the reply, in canonical Extended JSON.' },
    },
  };
}

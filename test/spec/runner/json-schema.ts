/**
 * A checker for JSON Schema, as far as the schema of the Unified Test Format uses it.
 *
 * A keyword that it does not know is an error: a schema that grows must not be half checked.
 */
type Json = unknown;
type Schema = Readonly<Record<string, Json>> | boolean;

/** @returns the first thing wrong, with its place, or undefined. */
export function violationOf(value: Json, root: Schema): string | undefined {
  return check(value, root, root, '');
}

const TYPES: Readonly<Record<string, (value: Json) => boolean>> = {
  object: isObject,
  array: (value) => Array.isArray(value),
  string: (value) => typeof value === 'string',
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
};

/** Keywords that say nothing about the value. */
const ANNOTATIONS = new Set(['$schema', '$defs', 'title', 'definitions', 'deprecated']);

type Keyword = (value: Json, argument: Json, at: Place) => string | undefined;

interface Place {
  readonly root: Schema;
  readonly schema: Readonly<Record<string, Json>>;
  readonly path: string;
}

const KEYWORDS: Readonly<Record<string, Keyword>> = {
  $ref: (value, argument, { root, path }) => check(value, resolve(root, argument), root, path),
  type: (value, argument, { path }) => {
    const isType = TYPES[String(argument)];
    if (isType === undefined) throw new Error(`unknown type '${String(argument)}'`);
    return isType(value) ? undefined : `${path} is not of type ${String(argument)}`;
  },
  const: (value, argument, { path }) =>
    value === argument ? undefined : `${path} is not ${String(argument)}`,
  enum: (value, argument, { path }) =>
    asArray(argument).includes(value) ? undefined : `${path} is none of ${String(argument)}`,
  pattern: (value, argument, { path }) =>
    typeof value !== 'string' || new RegExp(String(argument)).test(value)
      ? undefined
      : `${path} does not match ${String(argument)}`,
  required: (value, argument, { path }) => {
    if (!isObject(value)) return undefined;
    const missing = asArray(argument)
      .map((name) => String(name))
      .find((name) => !Object.hasOwn(value, name));
    return missing === undefined ? undefined : `${path} lacks ${missing}`;
  },
  minItems: (value, argument, { path }) =>
    Array.isArray(value) && value.length < Number(argument) ? `${path} is too short` : undefined,
  minProperties: (value, argument, { path }) =>
    isObject(value) && Object.keys(value).length < Number(argument)
      ? `${path} has too few fields`
      : undefined,
  maxProperties: (value, argument, { path }) =>
    isObject(value) && Object.keys(value).length > Number(argument)
      ? `${path} has too many fields`
      : undefined,
  items: (value, argument, { root, path }) =>
    firstOf(Array.isArray(value) ? value : [], (item, index) =>
      check(item, argument, root, `${path}[${index}]`),
    ),
  properties: (value, argument, { root, path }) =>
    firstOf(isObject(value) ? Object.entries(asObject(argument)) : [], ([name, schema]) =>
      isObject(value) && Object.hasOwn(value, name)
        ? check(value[name], schema, root, `${path}.${name}`)
        : undefined,
    ),
  patternProperties: (value, argument, { root, path }) =>
    firstOf(isObject(value) ? Object.entries(value) : [], ([name, field]) =>
      firstOf(Object.entries(asObject(argument)), ([pattern, schema]) =>
        new RegExp(pattern).test(name) ? check(field, schema, root, `${path}.${name}`) : undefined,
      ),
    ),
  additionalProperties: (value, argument, { root, schema, path }) =>
    firstOf(isObject(value) ? Object.entries(value) : [], ([name, field]) =>
      isNamed(name, schema) ? undefined : check(field, argument, root, `${path}.${name}`),
    ),
  not: (value, argument, { root, path }) =>
    check(value, argument, root, path) === undefined
      ? `${path} is what it must not be: ${JSON.stringify(argument)}`
      : undefined,
  allOf: (value, argument, { root, path }) =>
    firstOf(asArray(argument), (each) => check(value, each, root, path)),
  oneOf: (value, argument, { root, path }) => {
    const violations = asArray(argument).map((each) => check(value, each, root, path));
    const held = violations.filter((violation) => violation === undefined).length;
    if (held === 1) return undefined;
    return `${path} fits ${held} of the alternatives (${violations.filter(Boolean).join('; ')})`;
  },
};

function check(value: Json, schema: Json, root: Schema, path: string): string | undefined {
  if (typeof schema === 'boolean') return schema ? undefined : `${path} is not allowed`;
  const keywords = asObject(schema);
  return firstOf(Object.entries(keywords), ([name, argument]) => {
    if (ANNOTATIONS.has(name)) return undefined;
    const keyword = KEYWORDS[name];
    if (keyword === undefined) throw new Error(`unknown keyword '${name}' in the schema`);
    return keyword(value, argument, { root, schema: keywords, path });
  });
}

function isNamed(name: string, schema: Readonly<Record<string, Json>>): boolean {
  if (Object.hasOwn(asObject(schema['properties'] ?? {}), name)) return true;
  const patterns = Object.keys(asObject(schema['patternProperties'] ?? {}));
  return patterns.some((pattern) => new RegExp(pattern).test(name));
}

/** '#/definitions/version' and the like. */
function resolve(root: Schema, reference: Json): Json {
  let found: Json = root;
  for (const name of String(reference).split('/').slice(1)) found = asObject(found)[name];
  if (found === undefined) throw new Error(`the schema lacks ${String(reference)}`);
  return found;
}

function firstOf<T>(
  items: readonly T[],
  violation: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = violation(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isObject(value: Json): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: Json): Readonly<Record<string, Json>> {
  if (!isObject(value)) throw new Error('the schema is not one');
  return value;
}

function asArray(value: Json): readonly Json[] {
  if (!Array.isArray(value)) throw new Error('the schema is not one');
  return value;
}

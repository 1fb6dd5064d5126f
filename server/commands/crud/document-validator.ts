/**
 * Validators: what the documents of a collection must look like, and what becomes of those that do not.
 *
 * Owns: which operators a validator may have, level and action, and the error with its report.
 * Source: MongoDB's manual, "Schema Validation".
 */
import { deserialize } from 'bson';
import {
  BsonType,
  documentOf,
  documentValue,
  fieldsOf,
  getField,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileFilter, explainFailure, type Filter } from '../../../query/index.ts';
import type { CollectionDescription } from '../../../storage/index.ts';
import { splitNamespace } from '../../catalog/namespace.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { defaultCollationOf, queryContext } from './query-context.ts';

/** The validator of one collection, compiled. */
export interface DocumentValidator {
  /** @throws CommandError DocumentValidationFailure, unless the action is to warn */
  checkInsert(document: Buffer): void;
  /** The same for an update: with the level "moderate" a document that was wrong before may stay wrong. */
  checkUpdate(before: Buffer, after: Buffer): void;
}

/** undefined when the collection has no validator, or has turned it off. */
export function validatorOf(
  op: OperationContext,
  collection: CollectionDescription,
): DocumentValidator | undefined {
  const validator = getField(collection.options, 'validator')?.asDocument();
  if (validator === undefined) return undefined;
  const level = getField(collection.options, 'validationLevel')?.asString() ?? 'strict';
  if (level === 'off') return undefined;
  const action = getField(collection.options, 'validationAction')?.asString() ?? 'error';
  return new CompiledValidator(op, collection.namespace, compiled(op, collection, validator), {
    isModerate: level === 'moderate',
    warns: action === 'warn',
  });
}

class CompiledValidator implements DocumentValidator {
  private readonly op: OperationContext;
  private readonly namespace: string;
  private readonly filter: Filter;
  private readonly mode: { readonly isModerate: boolean; readonly warns: boolean };

  constructor(
    op: OperationContext,
    namespace: string,
    filter: Filter,
    mode: { readonly isModerate: boolean; readonly warns: boolean },
  ) {
    this.op = op;
    this.namespace = namespace;
    this.filter = filter;
    this.mode = mode;
  }

  checkInsert(document: Buffer): void {
    if (!this.filter.matches(document)) this.fail(document);
  }

  checkUpdate(before: Buffer, after: Buffer): void {
    if (this.filter.matches(after)) return;
    if (this.mode.isModerate && !this.filter.matches(before)) return;
    this.fail(after);
  }

  private fail(document: Buffer): void {
    const errInfo = failureOf(this.filter, document);
    if (!this.mode.warns) {
      throw new CommandError('DocumentValidationFailure', 'Document failed validation', {
        fields: { errInfo },
      });
    }
    this.op.service.log.write({
      severity: 'W',
      component: 'STORAGE',
      id: 20_294,
      message: 'Document would fail validation',
      attributes: { namespace: this.namespace, errInfo },
    });
  }
}

/** Which document it was, and why it failed. */
function failureOf(filter: Filter, document: Buffer): Record<string, unknown> {
  const details = explainFailure(filter.tree, document);
  const failingDocumentId = getField(document, '_id');
  return deserialize(
    documentOf({
      ...(failingDocumentId === undefined ? {} : { failingDocumentId }),
      ...(details === undefined ? {} : { details: documentValue(details) }),
    }),
    { promoteValues: false, promoteBuffers: false, bsonRegExp: true },
  );
}

/** Compiled once per version of a collection's options. A match is one synchronous step, so that one filter serves all. */
const COMPILED = new WeakMap<Buffer, Filter>();

function compiled(
  op: OperationContext,
  collection: CollectionDescription,
  validator: Buffer,
): Filter {
  const { options } = collection;
  const known = COMPILED.get(options);
  if (known !== undefined) return known;
  const filter = compileValidator(op, validator, defaultCollationOf(collection));
  // With the time or the user in it a filter is good for one operation only.
  if (!validator.includes('$$')) COMPILED.set(options, filter);
  return filter;
}

/** @throws CommandError for what no validator may contain, and for a filter that is wrong */
export function compileValidator(
  op: OperationContext,
  validator: Buffer,
  collation: Buffer | undefined,
): Filter {
  checkOperators(validator);
  return compileFilter(validator, queryContext(op, { collation }));
}

/** @throws CommandError InvalidOptions for a collection of the system's, which has no validator */
export function checkMayHaveValidator(namespace: string): void {
  const { database, collection } = splitNamespace(namespace);
  uassert(
    !collection.startsWith('system.') || collection.startsWith('system.buckets.'),
    'InvalidOptions',
    `Document validators not allowed on system collection ${namespace}`,
  );
  uassert(
    database !== 'admin' && database !== 'local' && database !== 'config',
    'InvalidOptions',
    `Document validators are not allowed on collection ${namespace} in the ${database} internal database`,
  );
}

const NOT_AT_THE_TOP: ReadonlySet<string> = new Set(['$where', '$text']);
const NOT_ON_A_FIELD: ReadonlySet<string> = new Set(['$near', '$nearSphere', '$geoNear']);

/** A validator looks at one document: no operator that needs an index, a sort or a script. */
function checkOperators(filter: Buffer): void {
  for (const [name, value] of fieldsOf(filter)) {
    uassert(!NOT_AT_THE_TOP.has(name), 'BadValue', `${name} is not allowed in this context`);
    if (name === '$expr') checkExpression(value);
    else if (value.type === BsonType.array && name.startsWith('$')) {
      for (const [, branch] of fieldsOf(value.asDocument())) {
        if (branch.type === BsonType.object) checkOperators(branch.asDocument());
      }
    } else if (value.type === BsonType.object) checkFieldOperators(value.asDocument());
  }
}

function checkFieldOperators(operators: Buffer): void {
  for (const [name, value] of fieldsOf(operators)) {
    uassert(
      !NOT_ON_A_FIELD.has(name),
      'BadValue',
      '$geoNear, $near, and $nearSphere are not allowed in this context',
    );
    if (name === '$not' && value.type === BsonType.object) checkFieldOperators(value.asDocument());
  }
}

function checkExpression(expression: RawValue): void {
  if (expression.type !== BsonType.object && expression.type !== BsonType.array) return;
  for (const [name, value] of fieldsOf(expression.asDocument())) {
    uassert(name !== '$function', 4_660_800, '$function cannot be used inside a validator.');
    if (name !== '$literal' && name !== '$const') checkExpression(value);
  }
}

/**
 * $graphLookup: all documents that can be reached over a field, breadth first.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  canonicalKey,
  booleanValue,
  documentOf,
  fieldsOf,
  type FieldPath,
  getField,
  int64Value,
  parsePath,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { compileExpression } from '../../expression/compile.ts';
import { elementsOf } from '../../expression/elements.ts';
import type { Expression } from '../../expression/expression.ts';
import { splitFieldPath } from '../../expression/field-path.ts';
import { Scope } from '../../expression/scope.ts';
import { ownedDocument } from '../../owned.ts';
import { compileFilter } from '../../matcher/compile.ts';
import { namespaceArgument, stringArgument } from '../arguments.ts';
import { defineStage, type PipelineRun, type StageParser } from '../definition.ts';
import { withPath } from '../document-path.ts';
import { valuesAt } from '../path-values.ts';
import { type DocumentSource, drain } from '../source.ts';

interface Specification {
  readonly from: string;
  readonly startWith: Expression;
  readonly connectFrom: FieldPath;
  readonly connectTo: string;
  readonly as: readonly string[];
  readonly maxDepth: number;
  readonly depthField: readonly string[] | undefined;
  readonly restrict: Buffer | undefined;
}

class GraphLookupSource implements DocumentSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly specification: Specification;
  private readonly scope = new Scope(Buffer.alloc(0));

  constructor(run: PipelineRun, input: DocumentSource, specification: Specification) {
    this.run = run;
    this.input = input;
    this.specification = specification;
  }

  async next(): Promise<Buffer | undefined> {
    const document = await this.input.next();
    if (document === undefined) return undefined;
    const list = new ArrayBuilder();
    for (const reached of await this.search(document)) list.pushDocument(reached);
    return withPath(document, this.specification.as, arrayValue(list.finish()));
  }

  private async search(document: Buffer): Promise<Buffer[]> {
    const { startWith, maxDepth, connectFrom } = this.specification;
    const { collator } = this.run.context;
    this.scope.document = document;
    const start = startWith.evaluate(this.scope);
    const asked = new Set<string>();
    const found = new Map<string, Buffer>();
    let bytes = 0;
    let frontier = start?.type === BsonType.array ? elementsOf(start) : start ? [start] : [];
    for (let depth = 0; frontier.length > 0 && depth <= maxDepth; depth += 1) {
      const wanted = frontier.filter((value) => isNew(asked, canonicalKey(value, collator)));
      frontier = [];
      if (wanted.length === 0) break;
      await this.forEachMatch(wanted, (match) => {
        const key = canonicalKey(getField(match, '_id'), collator);
        if (found.has(key)) return;
        bytes += match.length;
        if (bytes > this.run.maxStageBytes) {
          throw new CommandError(40099, '$graphLookup reached maximum memory consumption');
        }
        const owned = ownedDocument(match);
        found.set(key, this.withDepth(owned, depth));
        // One by one: a call takes no million arguments.
        for (const value of valuesAt(owned, connectFrom)) frontier.push(value);
      });
    }
    return [...found.values()];
  }

  private async forEachMatch(
    values: readonly RawValue[],
    take: (match: Buffer) => void,
  ): Promise<void> {
    const { from, connectTo, restrict } = this.specification;
    const stages = [documentOf({ $match: equality(connectTo, values) })];
    if (restrict !== undefined) stages.push(documentOf({ $match: restrict }));
    const source = this.run.openPipeline(from, stages);
    try {
      await drain(source, take);
    } finally {
      source.close();
    }
  }

  private withDepth(document: Buffer, depth: number): Buffer {
    const { depthField } = this.specification;
    return depthField === undefined
      ? document
      : withPath(document, depthField, int64Value(BigInt(depth)));
  }

  close(): void {
    this.input.close();
  }
}

/** As $in, but that null is not a field that is missing, and that a regular expression is itself. */
function equality(path: string, values: readonly RawValue[]): Buffer {
  const wanted = new ArrayBuilder();
  for (const value of values) {
    const is = documentOf(
      value.type === BsonType.null ? { $eq: value, $exists: booleanValue(true) } : { $eq: value },
    );
    wanted.pushDocument(documentOf({ [path]: is }));
  }
  return documentOf({ $or: arrayValue(wanted.finish()) });
}

function isNew(seen: Set<string>, key: string): boolean {
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

const NAMES = ['from', 'as', 'connectFromField', 'depthField', 'connectToField'];

function graphArguments(argument: RawValue): ReadonlyMap<string, RawValue> {
  if (argument.type !== BsonType.object) {
    throw new CommandError(
      'FailedToParse',
      `the $graphLookup stage specification must be an object, but found ${argument.typeName}`,
    );
  }
  const given = new Map(fieldsOf(argument.asDocument()));
  const from = given.get('from');
  if (from === undefined) {
    throw new CommandError('FailedToParse', "missing 'from' option to $graphLookup stage");
  }
  if (from.type !== BsonType.string && from.type !== BsonType.object) {
    throw new CommandError(
      'FailedToParse',
      `$graphLookup 'from' field must be a string, but found ${from.typeName}`,
    );
  }
  for (const [name, value] of given) {
    if (!NAMES.includes(name)) {
      uassert(OTHERS.includes(name), 40104, `Unknown argument to $graphLookup: ${name}`);
    } else if (value !== from && value.type !== BsonType.string) {
      throw new CommandError(
        40103,
        `expected string as argument for ${name}, found: ${value.typeName}`,
      );
    }
  }
  return given;
}

function isGiven(value: RawValue | undefined): boolean {
  return value !== undefined && !(value.type === BsonType.string && value.asString() === '');
}

const REQUIRED = ['from', 'startWith', 'connectFromField', 'connectToField', 'as'] as const;
const OTHERS = ['startWith', 'maxDepth', 'restrictSearchWithMatch'];

function parseGraphLookup(argument: RawValue, parser: StageParser): Specification {
  const name = '$graphLookup';
  const given = graphArguments(argument);
  for (const key of REQUIRED) {
    if (!isGiven(given.get(key))) {
      throw new CommandError(
        40105,
        `$graphLookup requires 'from', 'as', 'startWith', 'connectFromField', and 'connectToField' to be specified.`,
      );
    }
  }
  const connectTo = stringArgument(name, given, 'connectToField')!;
  splitFieldPath(connectTo);
  const restrict = given.get('restrictSearchWithMatch');
  if (restrict !== undefined) {
    if (restrict.type !== BsonType.object) {
      throw new CommandError(40185, "'restrictSearchWithMatch' must be an object");
    }
    compileFilter(restrict.asDocument(), parser.context, { javascript: false });
  }
  const depthField = stringArgument(name, given, 'depthField');
  return {
    from: namespaceArgument(name, given.get('from')!, parser.database),
    startWith: compileExpression(given.get('startWith')!, parser.context),
    connectFrom: parsePath(stringArgument(name, given, 'connectFromField')!),
    connectTo,
    as: splitFieldPath(stringArgument(name, given, 'as')!),
    maxDepth: depthFrom(given.get('maxDepth')),
    depthField: depthField === undefined ? undefined : splitFieldPath(depthField),
    restrict: restrict?.asDocument(),
  };
}

function depthFrom(value: RawValue | undefined): number {
  if (value === undefined) return Infinity;
  const depth = value.asNumber();
  if (!value.isNumber) {
    throw new CommandError(40100, `maxDepth must be numeric, found type: ${value.typeName}`);
  }
  if (Math.trunc(depth) < 0) {
    throw new CommandError(40101, `maxDepth requires a nonnegative argument, found: ${depth}`);
  }
  if (!Number.isInteger(depth) || depth > 2 ** 63) {
    throw new CommandError(40102, `maxDepth could not be represented as a long long: ${depth}`);
  }
  return depth;
}

export const $graphLookup = defineStage({
  name: '$graphLookup',
  position: 'anywhere',
  parse: (argument, parser, shown) => {
    const specification = parseGraphLookup(argument, parser);
    return [
      {
        name: '$graphLookup',
        nature: { kind: 'oneToOne' },
        shown,
        evaluation: {
          start: () => {
            const scope = new Scope(Buffer.alloc(0));
            return (document) => {
              scope.document = document;
              specification.startWith.evaluate(scope);
            };
          },
        },
        open: (input, run) => new GraphLookupSource(run, input, specification),
      },
    ];
  },
});

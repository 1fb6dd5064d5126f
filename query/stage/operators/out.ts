/**
 * $out: the result as a collection, in the place of the old one.
 */
import { BsonType, fieldsOf, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { checkOutput, outputNamespace } from '../arguments.ts';
import { defineStage, type PipelineRun, type StageParser } from '../definition.ts';
import type { DocumentSource } from '../source.ts';

/** Documents are handed to the writer in batches of about this size, bytes. */
const BATCH_BYTES = 1024 * 1024;

async function* batchesOf(input: DocumentSource): AsyncGenerator<Buffer[]> {
  let batch: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const next = input.next();
    const document = next instanceof Promise ? await next : next;
    if (document === undefined) break;
    batch.push(document);
    bytes += document.length;
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

class OutSource implements DocumentSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly target: OutTarget;
  private isDone = false;

  constructor(run: PipelineRun, input: DocumentSource, target: OutTarget) {
    this.run = run;
    this.input = input;
    this.target = target;
  }

  async next(): Promise<undefined> {
    const { writer } = this.run.host;
    if (writer === undefined) {
      throw new CommandError('CommandNotSupported', '$out is not supported here');
    }
    if (this.isDone) return undefined;
    this.isDone = true;
    const { namespace, timeseries } = this.target;
    await writer.replaceCollection(
      namespace,
      batchesOf(this.input),
      timeseries === undefined ? {} : { timeseries },
    );
    return undefined;
  }

  close(): void {
    this.input.close();
  }
}

interface OutTarget {
  readonly namespace: string;
  readonly timeseries: Buffer | undefined;
}

function parseTarget(argument: RawValue, parser: StageParser): OutTarget {
  if (argument.type === BsonType.string) {
    const namespace = outputNamespace('$out', parser.database, argument.asString());
    return { namespace, timeseries: undefined };
  }
  if (argument.type !== BsonType.object) {
    throw new CommandError(
      16990,
      `$out only supports a string or object argument, but found ${argument.typeName}`,
    );
  }
  const given = new Map(fieldsOf(argument.asDocument()));
  for (const name of given.keys()) {
    if (name !== 'db' && name !== 'coll' && name !== 'timeseries') {
      throw new CommandError('IDLUnknownField', `BSON field '$out.${name}' is an unknown field.`);
    }
  }
  return {
    namespace: outputNamespace('$out', nameIn(given, 'db'), nameIn(given, 'coll')),
    timeseries: typedField(given, 'timeseries', 'object')?.asDocument(),
  };
}

function nameIn(given: ReadonlyMap<string, RawValue>, name: string): string {
  const value = typedField(given, name, 'string');
  if (value !== undefined) return value.asString();
  throw new CommandError(
    'IDLFailedToParse',
    `BSON field '$out.${name}' is missing but a required field`,
  );
}

/** @throws CommandError TypeMismatch */
function typedField(
  given: ReadonlyMap<string, RawValue>,
  name: string,
  wanted: 'string' | 'object',
): RawValue | undefined {
  const value = given.get(name);
  if (value === undefined || value.type === BsonType[wanted]) return value;
  throw new CommandError(
    'TypeMismatch',
    `BSON field '$out.${name}' is the wrong type '${value.typeName}', expected type '${wanted}'`,
  );
}

export const $out = defineStage({
  name: '$out',
  position: 'last',
  notInside: ['$facet', '$lookup', '$unionWith'],
  parse: (argument, parser, shown) => {
    const target = parseTarget(argument, parser);
    checkOutput('$out', target.namespace, { special: 17_385, internal: 31_321 });
    return [
      {
        name: '$out',
        writes: true,
        nature: { kind: 'other' },
        shown,
        open: (input, run) => new OutSource(run, input, target),
      },
    ];
  },
});

/**
 * $out: the result as a collection, in the place of the old one.
 */
import { BsonType, fieldsOf, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { checkOutput } from '../arguments.ts';
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
    return { namespace: `${parser.database}.${argument.asString()}`, timeseries: undefined };
  }
  if (argument.type !== BsonType.object) {
    throw new CommandError(
      16990,
      `$out only supports a string or object argument, but found ${argument.typeName}`,
    );
  }
  const given = new Map(fieldsOf(argument.asDocument()));
  const db = given.get('db');
  const coll = given.get('coll');
  if (db?.type !== BsonType.string || coll?.type !== BsonType.string) {
    throw new CommandError(
      16994,
      "If an object is passed to $out it must have exactly 2 fields: 'db' and 'coll'",
    );
  }
  return {
    namespace: `${db.asString()}.${coll.asString()}`,
    timeseries: given.get('timeseries')?.asDocument(),
  };
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

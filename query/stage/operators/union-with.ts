/**
 * $unionWith: the input, then the documents of another collection or pipeline.
 */
import { BsonType, type RawValue } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import {
  idlArguments,
  namespaceArgument,
  pipelineArgument,
  startsWithDocuments,
} from '../arguments.ts';
import { defineStage, type PipelineRun, type StageParser } from '../definition.ts';
import type { DocumentSource } from '../source.ts';

class ConcatenatedSource implements DocumentSource {
  private current: DocumentSource;
  private openNext: (() => DocumentSource) | undefined;

  constructor(first: DocumentSource, openNext: () => DocumentSource) {
    this.current = first;
    this.openNext = openNext;
  }

  next(): ReturnType<DocumentSource['next']> {
    const document = this.current.next();
    if (document instanceof Promise) return document.then((loaded) => loaded ?? this.advance());
    return document ?? this.advance();
  }

  private advance(): ReturnType<DocumentSource['next']> {
    if (this.openNext === undefined) return undefined;
    this.current.close();
    this.current = this.openNext();
    this.openNext = undefined;
    return this.current.next();
  }

  close(): void {
    this.openNext = undefined;
    this.current.close();
  }
}

interface Union {
  readonly namespace: string;
  readonly pipeline: readonly Buffer[];
}

function parseUnion(argument: RawValue, parser: StageParser): Union {
  if (argument.type === BsonType.string) {
    const namespace = namespaceArgument('$unionWith', argument, parser.database);
    return { namespace, pipeline: [] };
  }
  const given = idlArguments('$unionWith', argument, { coll: 'string', pipeline: 'any' });
  const coll = given.get('coll');
  const pipelineValue = given.get('pipeline');
  const pipeline = pipelineValue === undefined ? [] : pipelineArgument('$unionWith', pipelineValue);
  parser.parsePipeline(pipeline, '$unionWith');
  if (coll === undefined && !startsWithDocuments(pipeline)) {
    throw new CommandError(
      'FailedToParse',
      '$unionWith stage without explicit collection must have a pipeline with $documents as first stage',
    );
  }
  const namespace =
    coll === undefined
      ? `${parser.database}.$cmd.aggregate`
      : namespaceArgument('$unionWith', coll, parser.database);
  return { namespace, pipeline };
}

export const $unionWith = defineStage({
  name: '$unionWith',
  position: 'anywhere',
  parse: (argument, parser, shown) => {
    const union = parseUnion(argument, parser);
    return [
      {
        name: '$unionWith',
        nature: { kind: 'other' },
        shown,
        open: (input: DocumentSource, run: PipelineRun) =>
          new ConcatenatedSource(input, () => run.openPipeline(union.namespace, union.pipeline)),
      },
    ];
  },
});

/**
 * $facet: several pipelines over the same input, each giving one array.
 *
 * Owns: the tee. All pipelines go through the input in step, so that nothing is held but what they hold themselves.
 */
import {
  ArrayBuilder,
  arrayValue,
  BsonType,
  DocumentBuilder,
  fieldsOf,
  type RawValue,
} from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { MAX_BSON_OBJECT_BYTES } from '../../../common/limits.ts';
import {
  defineStage,
  type PipelineRun,
  type PipelineStage,
  type StageParser,
} from '../definition.ts';
import { type DocumentSource, drain } from '../source.ts';

interface Facet {
  readonly name: string;
  readonly stages: readonly PipelineStage[];
}

/** Gives each document to every branch that is still reading, when all of them have asked for it. */
class Tee {
  private readonly input: DocumentSource;
  private readonly waiting: ((document: Buffer | undefined) => void)[] = [];
  private readonly failing: ((error: unknown) => void)[] = [];
  private readers: number;
  private ended = false;

  constructor(input: DocumentSource, readers: number) {
    this.input = input;
    this.readers = readers;
  }

  branch(): DocumentSource {
    let open = true;
    return {
      next: () => (open && !this.ended ? this.wait() : undefined),
      close: () => {
        if (!open) return;
        open = false;
        this.readers -= 1;
        this.passOnWhenAllWait();
      },
    };
  }

  private wait(): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve);
      this.failing.push(reject);
      this.passOnWhenAllWait();
    });
  }

  private passOnWhenAllWait(): void {
    if (this.waiting.length === 0 || this.waiting.length < this.readers) return;
    const waiting = this.waiting.splice(0);
    const failing = this.failing.splice(0);
    this.read().then(
      (document) => {
        for (const resolve of waiting) resolve(document);
      },
      (error: unknown) => {
        for (const reject of failing) reject(error);
      },
    );
  }

  private async read(): Promise<Buffer | undefined> {
    const document = await this.input.next();
    if (document === undefined) this.ended = true;
    return document;
  }
}

class FacetSource implements DocumentSource {
  private readonly run: PipelineRun;
  private readonly input: DocumentSource;
  private readonly facets: readonly Facet[];
  private done = false;

  constructor(run: PipelineRun, input: DocumentSource, facets: readonly Facet[]) {
    this.run = run;
    this.input = input;
    this.facets = facets;
  }

  next(): Promise<Buffer | undefined> | undefined {
    if (this.done) return undefined;
    this.done = true;
    return this.collect();
  }

  private async collect(): Promise<Buffer> {
    const tee = new Tee(this.input, this.facets.length);
    const budget = { bytes: 0 };
    const lists = await Promise.all(
      this.facets.map((facet) => this.collectFacet(facet, tee.branch(), budget)),
    );
    const builder = new DocumentBuilder();
    this.facets.forEach((facet, index) => builder.append(facet.name, lists[index]));
    return builder.finish();
  }

  private async collectFacet(
    facet: Facet,
    branch: DocumentSource,
    budget: { bytes: number },
  ): Promise<RawValue> {
    let source = branch;
    for (const stage of facet.stages) source = stage.open(source, this.run);
    const list = new ArrayBuilder();
    await drain(source, (document) => {
      budget.bytes += document.length;
      if (budget.bytes > MAX_BSON_OBJECT_BYTES) {
        throw new CommandError(
          'BSONObjectTooLarge',
          `document constructed by $facet is larger than ${MAX_BSON_OBJECT_BYTES} bytes`,
        );
      }
      list.pushDocument(document);
    });
    branch.close();
    return arrayValue(list.finish());
  }

  close(): void {
    this.done = true;
    this.input.close();
  }
}

function parseFacets(argument: RawValue, parser: StageParser): readonly Facet[] {
  const fields = argument.type === BsonType.object ? [...fieldsOf(argument.asDocument())] : [];
  if (fields.length === 0) {
    throw new CommandError(40169, 'the $facet specification must be a non-empty object');
  }
  return fields.map(([name, value]) => {
    if (name === '' || name.startsWith('$') || name.includes('.')) {
      throw new CommandError(
        name.startsWith('$') ? 16410 : name === '' ? 15998 : 16412,
        `$facet field names may not be empty, start with '$' or contain '.': '${name}'`,
      );
    }
    if (value.type !== BsonType.array) {
      throw new CommandError(
        40170,
        `arguments to $facet must be arrays, ${name} is type ${value.typeName}`,
      );
    }
    const stages = Array.from(fieldsOf(value.asDocument()), ([, stage]) => {
      if (stage.type === BsonType.object) return stage.asDocument();
      throw new CommandError(
        40171,
        `elements of arrays in $facet spec must be non-empty objects, ${name} argument contained an element of type ${stage.typeName}`,
      );
    });
    return { name, stages: parser.parsePipeline(stages, '$facet') };
  });
}

export const $facet = defineStage({
  name: '$facet',
  position: 'anywhere',
  notInside: ['$facet'],
  parse: (argument, parser, shown) => {
    const facets = parseFacets(argument, parser);
    return [
      {
        name: '$facet',
        nature: { kind: 'other' },
        shown,
        open: (input, run) => new FacetSource(run, input, facets),
      },
    ];
  },
});

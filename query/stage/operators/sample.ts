/**
 * $sample: so many documents by chance, each as likely as any other.
 */
import { BsonType, fieldsOf } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { ownedDocument } from '../../owned.ts';
import { defineStage, type PipelineRun } from '../definition.ts';
import { BlockingSource, type DocumentSource } from '../source.ts';

/** Reservoir sampling: one pass, memory for the sample only. */
class SampleSource extends BlockingSource {
  private readonly run: PipelineRun;
  private readonly size: number;
  private readonly sample: Buffer[] = [];
  private seen = 0;

  constructor(run: PipelineRun, input: DocumentSource, size: number) {
    super(run.yielder, input);
    this.run = run;
    this.size = size;
  }

  protected take(document: Buffer): void {
    this.seen += 1;
    if (this.sample.length < this.size) {
      this.sample.push(ownedDocument(document));
      return;
    }
    const position = this.run.context.random.below(this.seen);
    if (position < this.size) this.sample[position] = ownedDocument(document);
  }

  protected finish(): Iterator<Buffer> {
    const { sample } = this;
    const { random } = this.run.context;
    for (let last = sample.length - 1; last > 0; last -= 1) {
      const other = random.below(last + 1);
      const document = sample[last];
      sample[last] = sample[other];
      sample[other] = document;
    }
    return sample.values();
  }
}

export const $sample = defineStage({
  name: '$sample',
  position: 'anywhere',
  parse: (argument, _parser, shown) => {
    if (argument.type !== BsonType.object) {
      throw new CommandError(28745, 'the $sample stage specification must be an object');
    }
    const given = new Map(fieldsOf(argument.asDocument()));
    for (const name of given.keys()) {
      if (name !== 'size') {
        throw new CommandError(28748, `unrecognized option to $sample: ${name}`);
      }
    }
    const size = given.get('size');
    if (size === undefined) throw new CommandError(28749, '$sample stage must specify a size');
    if (!size.isNumber) throw new CommandError(28746, 'size argument to $sample must be a number');
    const count = Math.trunc(size.asNumber());
    if (!(count > 0)) {
      throw new CommandError(28747, 'size argument to $sample must be a positive integer');
    }
    return [
      {
        name: '$sample',
        nature: { kind: 'other' },
        shown,
        open: (input, run) => new SampleSource(run, input, count),
      },
    ];
  },
});

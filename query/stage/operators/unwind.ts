/**
 * $unwind: one document per element of an array.
 */
import {
  BsonType,
  FieldCursor,
  type FieldPath,
  fieldsOf,
  getPath,
  int64Value,
  isEmpty,
  NULL,
  parsePath,
  type RawValue,
} from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { carryMetadata } from '../../document-metadata.ts';
import type { Value } from '../../expression/definition.ts';
import { splitFieldPath } from '../../expression/field-path.ts';
import { isNullish } from '../../expression/types.ts';
import { withPath } from '../document-path.ts';
import { defineStage, type PipelineRun } from '../definition.ts';
import { AGAIN, type DocumentSource, PullSource, type SourceStep } from '../source.ts';

interface UnwindSpecification {
  readonly path: FieldPath;
  readonly parts: readonly string[];
  readonly indexParts: readonly string[] | undefined;
  readonly preserve: boolean;
}

class UnwindSource extends PullSource {
  private readonly input: DocumentSource;
  private readonly specification: UnwindSpecification;
  private document: Buffer | undefined;
  /** The document with null where the array is: each result is made of it, and costs nothing for the other elements. */
  private frame: Buffer | undefined;
  private elements: FieldCursor | undefined;
  private index = 0;

  constructor(run: PipelineRun, input: DocumentSource, specification: UnwindSpecification) {
    super(run.yielder);
    this.input = input;
    this.specification = specification;
  }

  protected step(): SourceStep {
    for (;;) {
      if (this.yielder.tick()) return AGAIN;
      if (this.elements !== undefined) {
        const unwound = this.nextElement(this.elements);
        if (unwound !== undefined) return unwound;
      }
      const document = this.input.next();
      if (document === undefined) return undefined;
      if (document instanceof Promise) return this.later(document);
      const single = this.start(document);
      if (single !== undefined) return single;
    }
  }

  private async later(
    document: Promise<Buffer | undefined>,
  ): Promise<Buffer | undefined | typeof AGAIN> {
    const loaded = await document;
    return loaded === undefined ? undefined : (this.start(loaded) ?? AGAIN);
  }

  /** Begins a document. @returns it when it gives just one. */
  private start(document: Buffer): Buffer | undefined {
    const { path, preserve } = this.specification;
    const value = getPath(document, path);
    if (value !== undefined && value.type === BsonType.array) {
      if (!isEmpty(value.asDocument())) {
        this.document = document;
        this.frame = this.with(document, NULL);
        this.elements = new FieldCursor(value.asDocument());
        this.index = 0;
        return undefined;
      }
      if (!preserve) return undefined;
      return carryMetadata(document, this.withIndex(this.with(document, undefined), NULL));
    }
    if (isNullish(value) && !preserve) return undefined;
    return carryMetadata(document, this.withIndex(document, NULL));
  }

  private nextElement(elements: FieldCursor): Buffer | undefined {
    if (!elements.next()) {
      this.elements = undefined;
      this.document = undefined;
      this.frame = undefined;
      return undefined;
    }
    const document = this.document!;
    const unwound = this.with(this.frame!, elements.value());
    this.index += 1;
    return carryMetadata(document, this.withIndex(unwound, int64Value(BigInt(this.index - 1))));
  }

  private with(document: Buffer, value: Value): Buffer {
    return withPath(document, this.specification.parts, value);
  }

  private withIndex(document: Buffer, index: RawValue): Buffer {
    const { indexParts } = this.specification;
    return indexParts === undefined ? document : withPath(document, indexParts, index);
  }

  close(): void {
    this.elements = undefined;
    this.input.close();
  }
}

function parseSpecification(argument: RawValue): UnwindSpecification {
  let pathValue: RawValue | undefined = argument;
  let includeArrayIndex: string | undefined;
  let preserve = false;
  if (argument.type === BsonType.object) {
    pathValue = undefined;
    for (const [name, value] of fieldsOf(argument.asDocument())) {
      if (name === 'path') pathValue = value;
      else if (name === 'preserveNullAndEmptyArrays') preserve = booleanOption(value);
      else if (name === 'includeArrayIndex') includeArrayIndex = indexOption(value);
      else {
        throw new CommandError(28811, `unrecognized option to $unwind stage: ${name}`);
      }
    }
  } else if (argument.type !== BsonType.string) {
    throw new CommandError(
      15981,
      `expected either a string or an object as specification for $unwind stage, got ${argument.typeName}`,
    );
  }
  uassert(pathValue !== undefined, 28812, 'no path specified to $unwind stage');
  if (pathValue.type !== BsonType.string) {
    throw new CommandError(
      28808,
      `expected a string as the path for $unwind stage, got ${pathValue.typeName}`,
    );
  }
  const text = pathValue.asString();
  uassert(
    text.startsWith('$'),
    28818,
    `path option to $unwind stage should be prefixed with a '$': ${text}`,
  );
  const parts = splitFieldPath(text.slice(1));
  return {
    path: parsePath(text.slice(1)),
    parts,
    indexParts: includeArrayIndex === undefined ? undefined : splitFieldPath(includeArrayIndex),
    preserve,
  };
}

function booleanOption(value: RawValue): boolean {
  if (value.type !== BsonType.bool) {
    throw new CommandError(
      28809,
      `expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage, got ${value.typeName}`,
    );
  }
  return value.asBoolean();
}

function indexOption(value: RawValue): string {
  const text = value.asString();
  if (value.type !== BsonType.string || text === '') {
    throw new CommandError(
      28810,
      `expected a non-empty string for the includeArrayIndex  option to $unwind stage, got ${value.typeName}`,
    );
  }
  uassert(
    !text.startsWith('$'),
    28822,
    `includeArrayIndex option to $unwind stage should not be prefixed with a '$': ${text}`,
  );
  return text;
}

export const $unwind = defineStage({
  name: '$unwind',
  position: 'anywhere',
  parse: (argument, _parser, shown) => {
    const specification = parseSpecification(argument);
    return [
      {
        name: '$unwind',
        nature: { kind: 'other' },
        shown,
        letsGo: true,
        reads: [specification.parts[0]!, ...(specification.indexParts ?? []).slice(0, 1)],
        keepsField: (name) =>
          name !== specification.parts[0] && name !== specification.indexParts?.[0],
        open: (input, run) => new UnwindSource(run, input, specification),
      },
    ];
  },
});

/**
 * $rename: moves a value from one path to another.
 *
 * Owns: both ends of a rename. The value is read from the document before the update, the source is removed, and the
 * destination is set; when the source is missing, nothing happens.
 */
import { BsonType, getField, type RawValue } from '../../bson/index.ts';
import { binaryEqual } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import { describeField, describeId } from './messages.ts';
import type { Modifier } from './modifier.ts';
import { isArrayFilterPart, parseUpdatePath } from './tree.ts';

/** One rename, by its number among all renames of the update. */
export interface Rename {
  readonly source: readonly string[];
  readonly destination: readonly string[];
  /** The modifiers at source and destination. */
  readonly modifiers: readonly { readonly path: string; readonly modifier: Modifier }[];
}

/** @throws CommandError BadValue, EmptyFieldName. */
export function parseRename(from: string, operand: RawValue, number: number): Rename {
  if (operand.type !== BsonType.string) {
    throw new CommandError(
      'BadValue',
      `The 'to' field for $rename must be a string: ${describeField(from, operand)}`,
    );
  }
  const to = operand.asString();
  if (to.includes('\0')) {
    throw new CommandError(
      'BadValue',
      "The 'to' field for $rename cannot contain an embedded null byte",
    );
  }
  const source = parseUpdatePath(from);
  const destination = parseUpdatePath(to);
  checkEnds(from, to, operand);
  checkStatic(source, from, 'source');
  checkStatic(destination, to, 'destination');
  return {
    source,
    destination,
    modifiers: [
      { path: from, modifier: sourceModifier(number) },
      { path: to, modifier: destinationModifier(number) },
    ],
  };
}

function checkEnds(from: string, to: string, operand: RawValue): void {
  const shown = describeField(from, operand);
  if (from === to) {
    throw new CommandError(
      'BadValue',
      `The source and target field for $rename must differ: ${shown}`,
    );
  }
  if (`${from}.`.startsWith(`${to}.`) || `${to}.`.startsWith(`${from}.`)) {
    throw new CommandError(
      'BadValue',
      `The source and target field for $rename must not be on the same path: ${shown}`,
    );
  }
}

function checkStatic(parts: readonly string[], path: string, what: string): void {
  if (parts.some((part) => part === '$' || isArrayFilterPart(part))) {
    throw new CommandError('BadValue', `The ${what} field for $rename may not be dynamic: ${path}`);
  }
}

function sourceModifier(number: number): Modifier {
  return {
    update: (value, { application }) =>
      application.renamed[number] === undefined ? value : 'removed',
    create: () => undefined,
    needsPath: false,
  };
}

function destinationModifier(number: number): Modifier {
  return {
    update: (value, { application }) => {
      const moved = application.renamed[number];
      return moved === undefined || binaryEqual(value, moved) ? value : moved;
    },
    create: ({ application }) => application.renamed[number],
    needsPath: true,
  };
}

/**
 * The value that a rename moves; undefined when the source is missing.
 * @throws CommandError BadValue when either end leads through an array.
 */
export function renamedValue(
  document: Buffer,
  { source, destination }: Rename,
): RawValue | undefined {
  const value = valueOutsideArrays(document, source, 'source');
  if (value !== undefined) valueOutsideArrays(document, destination, 'destination');
  return value;
}

function valueOutsideArrays(
  document: Buffer,
  parts: readonly string[],
  what: string,
): RawValue | undefined {
  let container = document;
  for (const [index, part] of parts.entries()) {
    const value = getField(container, part);
    const next = parts[index + 1];
    if (value === undefined || next === undefined) return value;
    if (what === 'source') {
      if (!canBeEntered(value, next)) throw notViable(parts, next, part, value);
      if (value.type === BsonType.array && getField(value.asDocument(), next) === undefined) {
        return undefined;
      }
    }
    if (value.type === BsonType.array) {
      throw new CommandError(
        'BadValue',
        `The ${what} field cannot be an array element, '${parts.join('.')}' in doc with ${describeId(document)} has an array field called '${part}'`,
      );
    }
    if (value.type !== BsonType.object) return undefined;
    container = value.asDocument();
  }
  return undefined;
}

/** A document has names, an array has indexes, and nothing else has either. */
function canBeEntered(value: RawValue, name: string): boolean {
  if (value.type === BsonType.array) return /^(?:0|[1-9]\d*)$/.test(name);
  return value.type === BsonType.object;
}

function notViable(
  parts: readonly string[],
  next: string,
  name: string,
  value: RawValue,
): CommandError {
  return new CommandError(
    'PathNotViable',
    `cannot use the part (${next} of ${parts.join('.')}) to traverse the element ({${describeField(name, value)}})`,
  );
}

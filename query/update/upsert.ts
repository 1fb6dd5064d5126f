/**
 * The document that an upsert starts from: what the filter says by equality.
 */
import { DocumentBuilder, documentValue, type RawValue } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import { MAX_BSON_DEPTH } from '../../common/limits.ts';
import type { QueryContext } from '../context.ts';
import { parseFilter } from '../matcher/parse.ts';
import type { FilterNode } from '../matcher/tree.ts';

/**
 * A document of the fields that `filter` compares by equality, in order of path.
 * @param onlyId a replacement takes over nothing but `_id`.
 * @throws CommandError NotSingleValueField when two equalities contradict each other.
 */
export function documentFromFilter(filter: Buffer, context: QueryContext, onlyId: boolean): Buffer {
  const equalities = new Map<string, RawValue>();
  collectEqualities(parseFilter(filter, context, { text: true, near: true }), equalities, onlyId);
  const paths = [...equalities.keys()].toSorted();
  checkDepth(paths);
  checkNesting(paths);
  const root: Branch = new Map();
  for (const path of paths) plant(root, path.split('.'), equalities.get(path));
  return build(root);
}

function collectEqualities(
  node: FilterNode,
  equalities: Map<string, RawValue>,
  onlyId: boolean,
): void {
  if (node.kind === 'and') {
    for (const child of node.children) collectEqualities(child, equalities, onlyId);
  }
  if (node.kind !== 'leaf') return;
  if (node.operator !== '$eq' || (onlyId && node.path.split('.')[0] !== '_id')) return;
  if (equalities.has(node.path)) {
    throw new CommandError(
      'NotSingleValueField',
      `cannot infer query fields to set, path '${node.path}' is matched twice`,
    );
  }
  equalities.set(node.path, node.operands[0]);
}

/** Before anything is built: the work below grows with the square of a path's length. */
function checkDepth(paths: readonly string[]): void {
  for (const path of paths) {
    const levels = path.split('.', MAX_BSON_DEPTH + 1).length;
    uassert(
      levels <= MAX_BSON_DEPTH,
      'Overflow',
      `Document exceeds maximum nesting depth of ${MAX_BSON_DEPTH}`,
    );
  }
}

/** @param paths sorted: a path stands directly or indirectly before those below it. */
function checkNesting(paths: readonly string[]): void {
  const known = new Set(paths);
  for (const path of paths) {
    for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
      const parent = path.slice(0, dot);
      if (!known.has(parent)) continue;
      throw new CommandError(
        'NotSingleValueField',
        `cannot infer query fields to set, both paths '${path}' and '${parent}' are matched`,
      );
    }
  }
}

type Branch = Map<string, Branch | RawValue>;

function plant(branch: Branch, parts: readonly string[], value: RawValue | undefined): void {
  const [name, ...rest] = parts;
  if (value === undefined) return;
  if (rest.length === 0) {
    branch.set(name, value);
    return;
  }
  const existing = branch.get(name);
  const next: Branch = existing instanceof Map ? existing : new Map();
  branch.set(name, next);
  plant(next, rest, value);
}

function build(branch: Branch): Buffer {
  const document = new DocumentBuilder();
  for (const [name, child] of branch) {
    document.append(name, child instanceof Map ? documentValue(build(child)) : child);
  }
  return document.finish();
}

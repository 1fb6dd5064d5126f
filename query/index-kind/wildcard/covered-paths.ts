/**
 * Which paths a wildcard index covers: those below its root, by its projection; `_id` only when it is asked for.
 */
import { BsonType, fieldsOf, getField, isEmpty, type RawValue } from '../../../bson/index.ts';
import type { IndexDescription } from '../../../storage/index.ts';

/** A path on the way: undefined when all below it is covered, or not, as the parent says. */
interface PathTree {
  readonly children: Map<string, PathTree>;
  /** The path itself is named by the projection. */
  isNamed: boolean;
}

/** How a path is covered. */
export interface Coverage {
  /** A value at the path that is no object has an entry. */
  readonly coversValue: boolean;
  /** All that may stand below it is covered, too. */
  readonly coversAll: boolean;
  /** Of a field below; undefined: nothing below it is. */
  field(name: string): Coverage | undefined;
}

const ALL: Coverage = { coversValue: true, coversAll: true, field: () => ALL };

export class CoveredPaths {
  /** Of the document itself. */
  readonly root: Coverage;

  constructor(index: Pick<IndexDescription, 'fields' | 'spec'>) {
    const wildcard = index.fields.find(({ kind }) => kind === 'wildcard')?.path ?? '$**';
    const projection = getField(index.spec, 'wildcardProjection');
    this.root =
      wildcard === '$**'
        ? coverageOf(projection?.type === BsonType.object ? projection.asDocument() : undefined)
        : inclusion(treeOf([wildcard.slice(0, -'.$**'.length)]));
  }

  at(path: string): Coverage | undefined {
    let coverage: Coverage | undefined = this.root;
    for (const part of path.split('.')) coverage = coverage?.field(part);
    return coverage;
  }
}

function coverageOf(projection: Buffer | undefined): Coverage {
  if (projection === undefined || isEmpty(projection)) return exclusion(treeOf(['_id']));
  const paths = flatten(projection, '');
  const id = paths.find(({ path }) => path === '_id');
  const others = paths.filter(({ path }) => path !== '_id');
  const includes = (others[0] ?? id)?.value.isTruthy() === true;
  const names = others.map(({ path }) => path);
  const hasId = id?.value.isTruthy() === true;
  return includes
    ? inclusion(treeOf(hasId ? ['_id', ...names] : names))
    : exclusion(treeOf(hasId ? names : ['_id', ...names]));
}

/** The paths of a projection, {a: {b: 1}} being {'a.b': 1}. */
export function flatten(
  projection: Buffer,
  prefix: string,
): readonly { readonly path: string; readonly value: RawValue }[] {
  return [...fieldsOf(projection)].flatMap(([name, value]) => {
    const path = prefix + name;
    return value.type === BsonType.object
      ? flatten(value.asDocument(), `${path}.`)
      : [{ path, value }];
  });
}

function treeOf(paths: readonly string[]): PathTree {
  const root: PathTree = { children: new Map(), isNamed: false };
  for (const path of paths) {
    let node = root;
    for (const part of path.split('.')) {
      let child = node.children.get(part);
      if (child === undefined) {
        child = { children: new Map(), isNamed: false };
        node.children.set(part, child);
      }
      node = child;
    }
    node.isNamed = true;
  }
  return root;
}

function inclusion(tree: PathTree): Coverage {
  const below = new Map<string, Coverage>();
  for (const [name, child] of tree.children)
    below.set(name, child.isNamed ? ALL : inclusion(child));
  return { coversValue: false, coversAll: false, field: (name) => below.get(name) };
}

function exclusion(tree: PathTree): Coverage {
  const below = new Map<string, Coverage | undefined>();
  for (const [name, child] of tree.children) {
    below.set(name, child.isNamed ? undefined : exclusion(child));
  }
  return {
    coversValue: true,
    coversAll: false,
    field: (name) => (below.has(name) ? below.get(name) : ALL),
  };
}

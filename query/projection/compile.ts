/**
 * Compiles a projection, of a find or of a stage.
 *
 * Promises: a projection that changes nothing gives back the very Buffer it was given; kept fields are never decoded.
 */
import { DocumentBuilder } from '../../bson/index.ts';
import { Scope } from '../expression/scope.ts';
import { type LongWork, meetsLongWork } from '../expression/long-work.ts';
import { meetsScripts } from '../script/scripts.ts';
import { parseProjection, type ParsedProjection } from './parse.ts';
import { projectFields } from './project.ts';
import type {
  DocumentMetadata,
  MetadataName,
  Projection,
  ProjectionOptions,
} from './projection.ts';
import type { BranchNode } from './tree.ts';

/** @throws CommandError with MongoDB's codes (31249 ... 31325 and others) for a projection that is wrong. */
export function compileProjection(projection: Buffer, options: ProjectionOptions): Projection {
  const { result: parsed, longWork } = meetsLongWork(() =>
    meetsScripts(options.context.scripts, () => parseProjection(projection, options)),
  );
  return new CompiledProjection(parsed.result, {
    usesScripts: parsed.session !== undefined,
    longWork,
  });
}

class CompiledProjection implements Projection {
  readonly fieldsNeeded: readonly string[] | undefined;
  readonly pathsRead: ReadonlySet<string> | undefined;
  readonly needsPosition: boolean;
  readonly metadataNeeded: ReadonlySet<MetadataName>;
  readonly usesScripts: boolean;
  readonly longWork: LongWork | undefined;
  readonly isIdentity: boolean;
  private readonly kind: ParsedProjection['kind'];
  private readonly root: BranchNode;
  private readonly builder = new DocumentBuilder();
  private readonly scope = new Scope(Buffer.of(5, 0, 0, 0, 0));

  constructor(
    { kind, root, needsPosition, metadataNeeded }: ParsedProjection,
    needs: Pick<Projection, 'usesScripts' | 'longWork'>,
  ) {
    this.kind = kind;
    this.usesScripts = needs.usesScripts;
    this.longWork = needs.longWork;
    this.root = root;
    this.needsPosition = needsPosition;
    this.metadataNeeded = metadataNeeded;
    this.isIdentity = kind === 'exclusion' && root.children.size === 0;
    this.pathsRead = kind === 'inclusion' ? pathsReadBy(root) : undefined;
    const isPlain = kind === 'inclusion' && includesOnly(root);
    this.fieldsNeeded = isPlain && this.pathsRead !== undefined ? [...this.pathsRead] : undefined;
  }

  apply(document: Buffer, positionalIndex?: number, metadata?: DocumentMetadata): Buffer {
    if (this.isIdentity) return document;
    this.scope.document = document;
    const builder = this.builder.clear();
    const output = {
      builder,
      scope: this.scope,
      metadata,
      position: positionalIndex,
      isNarrowed: false,
    };
    projectFields(this.kind, this.root, document, 0, output);
    // What is left has the document's own bytes when nothing fell away: only its size can tell cheaply.
    const isUnchanged =
      this.kind === 'exclusion' &&
      this.root.additions.length === 0 &&
      builder.byteLength === document.length - 1;
    return isUnchanged ? document : builder.finish();
  }
}

/** Only paths that include, so that the result is made of them alone. */
function includesOnly(node: BranchNode): boolean {
  for (const child of node.children.values()) {
    const isPlain =
      child.kind === 'include' ||
      child.kind === 'exclude' ||
      (child.kind === 'branch' && includesOnly(child));
    if (!isPlain) return false;
  }
  return true;
}

/** Paths that an inclusion reads; undefined when an expression may read anything. */
function pathsReadBy(root: BranchNode): ReadonlySet<string> | undefined {
  const paths = new Set<string>();
  return collectPaths(root, '', paths) ? paths : undefined;
}

function collectPaths(node: BranchNode, prefix: string, paths: Set<string>): boolean {
  for (const [name, child] of node.children) {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (child.kind === 'branch') {
      if (!collectPaths(child, path, paths)) return false;
    } else if (child.kind === 'computed') {
      if (child.paths === undefined) return false;
      for (const read of child.paths) paths.add(read);
      // A computed field below a path keeps what stands beside it there.
      if (prefix !== '') paths.add(prefix);
    } else if (child.kind !== 'exclude') {
      paths.add(path);
    }
  }
  return true;
}

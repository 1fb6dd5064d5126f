/**
 * $out and $merge in a router: what they write goes to the shards as inserts and updates do.
 *
 * $merge changes a document by comparing: the update carries the whole document that the change was made of, and when that has changed
 * meanwhile, it is read again. No change of somebody else is lost.
 */
import {
  ArrayBuilder,
  arrayValue,
  documentOf,
  documentValue,
  DocumentBuilder,
  EMPTY_DOCUMENT,
  fieldsOf,
  getField,
  int32Value,
  stringValue,
  type RawValue,
} from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { OutputWriter } from '../../query/index.ts';
import type { OperationContext } from '../../server/cluster.ts';
import { appendVersions } from '../commands/shard-request.ts';
import { collectionOf, databaseOf, cursorOf } from '../network/read-all.ts';
import { primaryTarget, withRoute } from '../routing/collection-route.ts';
import type { Router } from '../router.ts';
import { targetsOf } from '../targeting/targets.ts';
import { statementOf, type WriteKind } from '../writes/statement.ts';
import { runWrites } from '../writes/write-run.ts';
import { openCursors } from './open-cursors.ts';
import { MergedCursor } from './merged-cursor.ts';

export class RoutedWriter implements OutputWriter {
  private readonly router: Router;
  private readonly op: OperationContext;
  private readonly bypassValidation: boolean;

  constructor(router: Router, op: OperationContext, bypassValidation: boolean) {
    this.router = router;
    this.op = op;
    this.bypassValidation = bypassValidation;
  }

  async replaceCollection(
    namespace: string,
    documents: AsyncIterable<Buffer[]>,
    options: { readonly timeseries?: Buffer },
  ): Promise<void> {
    if (options.timeseries !== undefined) {
      throw new CommandError(
        'NotImplemented',
        '$out to a time series through a router is not supported by FlintDB yet',
      );
    }
    const { router, op } = this;
    await router.routing.createDatabase(databaseOf(namespace), op);
    await this.checkNotSharded(namespace);
    const temporary = `${databaseOf(namespace)}.tmp.agg_out.${op.service.random.bytes(8).toString('hex')}`;
    await this.createLike(temporary, namespace);
    try {
      for await (const batch of documents) await this.write('insert', temporary, batch);
      await this.rename(temporary, namespace);
    } catch (error) {
      await this.onPrimary(temporary, documentOf({ drop: collectionOf(temporary) })).catch(
        () => {},
      );
      throw error;
    }
  }

  async insert(namespace: string, document: Buffer): Promise<void> {
    await this.write('insert', namespace, [document]);
  }

  async change(
    namespace: string,
    key: Buffer,
    change: (before: Buffer) => Buffer | undefined,
  ): Promise<boolean> {
    const filter = equalTo(key);
    for (;;) {
      const before = await this.find(namespace, filter);
      if (before === undefined) return false;
      const after = change(before);
      if (after === undefined || after.equals(before)) return true;
      const same = documentOf({ $literal: documentValue(before) });
      const equal = listOf([stringValue('$$ROOT'), documentValue(same)]);
      const statement = documentOf({
        q: new DocumentBuilder()
          .appendElementsOf(filter)
          .appendDocument('$expr', documentOf({ $eq: equal }))
          .finish(),
        u: after,
      });
      const { count } = await this.write('update', namespace, [statement]);
      if (count > 0) return true;
      await this.op.yield();
    }
  }

  private async write(kind: WriteKind, namespace: string, raws: readonly Buffer[]) {
    const outcome = await runWrites(this.router, this.op, {
      kind,
      namespace,
      ordered: true,
      command: documentOf({
        [kind]: collectionOf(namespace),
        ...(this.bypassValidation ? { bypassDocumentValidation: true } : {}),
        $db: databaseOf(namespace),
      }),
      statements: raws.map((raw, index) => statementOf(kind, raw, index)),
    });
    const [failed] = outcome.errors;
    if (failed !== undefined) throw failed.error;
    return outcome;
  }

  private find(namespace: string, filter: Buffer): Promise<Buffer | undefined> {
    const { router, op } = this;
    return withRoute(router, op, namespace, async (route) => {
      if (route === undefined) return undefined;
      const { targets } = await targetsOf(router, op, route, filter, undefined);
      const { cursors } = await openCursors(op, targets, ({ versions }) => {
        const out = new DocumentBuilder(128).appendString('find', collectionOf(namespace));
        out.appendDocument('filter', filter).append('limit', int32Value(1));
        out.appendBoolean('singleBatch', true).appendString('$db', databaseOf(namespace));
        appendVersions(out, versions);
        return out.finish();
      });
      const merged = new MergedCursor(cursors, { limit: 1 }, op);
      const found = await merged.next();
      merged.close();
      return found;
    });
  }

  /** Options and indexes of the collection that it will replace. */
  private async createLike(temporary: string, namespace: string): Promise<void> {
    const filter = documentOf({ name: collectionOf(namespace) });
    const listing = documentOf({ listCollections: 1, filter });
    const [existing] = cursorOf(await this.onPrimary(namespace, listing)).documents;
    const options = (existing && getField(existing, 'options')?.asDocument()) ?? EMPTY_DOCUMENT;
    const create = new DocumentBuilder().appendString('create', collectionOf(temporary));
    create.appendElementsOf(options);
    await this.onPrimary(temporary, create.finish());
    if (existing === undefined) return;
    const listIndexes = documentOf({ listIndexes: collectionOf(namespace) });
    const indexes = cursorOf(await this.onPrimary(namespace, listIndexes)).documents;
    const others = indexes.filter((index) => getField(index, 'name')?.asString() !== '_id_');
    if (others.length === 0) return;
    const specs = listOf(others.map((index) => documentValue(index)));
    await this.onPrimary(
      temporary,
      documentOf({ createIndexes: collectionOf(temporary), indexes: specs }),
    );
  }

  /** @throws CommandError 28769 */
  private async checkNotSharded(namespace: string): Promise<void> {
    const { router, op } = this;
    if ((await router.routing.collection(namespace, op)) === undefined) return;
    throw new CommandError(28769, `${namespace} cannot be sharded when using $out`);
  }

  private rename(from: string, to: string): Promise<Buffer> {
    const { router, op } = this;
    return withRoute(router, op, from, async (route) => {
      // It may have been sharded since: then the shard has refused, and this is the second time.
      await this.checkNotSharded(to);
      if (route === undefined) {
        throw new CommandError('NamespaceNotFound', `database ${databaseOf(from)} not found`);
      }
      const { shard, versions } = await primaryTarget(router, op, route);
      const out = new DocumentBuilder(256).appendString('renameCollection', from);
      out.appendString('to', to).appendBoolean('dropTarget', true).appendString('$db', 'admin');
      appendVersions(out, versions);
      return shard.command(out.finish(), op);
    });
  }

  private onPrimary(namespace: string, command: Buffer): Promise<Buffer> {
    const { router, op } = this;
    return withRoute(router, op, namespace, async (route) => {
      if (route === undefined) {
        throw new CommandError('NamespaceNotFound', `database ${databaseOf(namespace)} not found`);
      }
      const { shard, versions } = await primaryTarget(router, op, route);
      const out = new DocumentBuilder(command.length + 128).appendElementsOf(command);
      out.appendString('$db', databaseOf(namespace));
      const { databaseVersion } = versions;
      if (databaseVersion !== undefined) appendVersions(out, { databaseVersion });
      return shard.command(out.finish(), op);
    });
  }
}

function equalTo(key: Buffer): Buffer {
  const out = new DocumentBuilder(key.length + 32);
  for (const [name, value] of fieldsOf(key)) out.appendDocument(name, documentOf({ $eq: value }));
  return out.finish();
}

function listOf(values: readonly RawValue[]): RawValue {
  const list = new ArrayBuilder();
  for (const value of values) list.push(value);
  return arrayValue(list.finish());
}

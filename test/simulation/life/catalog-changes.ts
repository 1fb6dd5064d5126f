/**
 * What a life does to its catalog: collections and indexes come, change and go, whoever holds them open.
 */
import { uninterruptible } from '../../../common/interruption.ts';
import {
  PAGE_COMPRESSIONS,
  type CollectionDescription,
  type CollectionUuid,
  type ReadView,
  type Transaction,
} from '../../../storage/index.ts';
import { INDEX_SPECS, randomOptions } from '../documents.ts';
import type { ModelCollection } from '../model.ts';
import type { LifeContext } from './context.ts';

const NAMESPACES = ['test.a', 'test.b', 'test.c', 'other.a'];

export class CatalogChanges {
  private readonly context: LifeContext;

  /** Names of indexes that builds of this life make, or made. */
  private readonly building = new Set<string>();

  constructor(context: LifeContext) {
    this.context = context;
  }

  async createCollection(): Promise<void> {
    const { model, random, world } = this.context;
    const namespace = this.freeNamespace();
    if (namespace === undefined) return;
    const options = randomOptions(random);
    const compression = world.mixesCompressions
      ? { compression: PAGE_COMPRESSIONS[random.below(PAGE_COMPRESSIONS.length)] }
      : {};
    const index = random.below(2) === 0 ? this.context.anyOf(INDEX_SPECS) : undefined;
    await this.change((transaction) => {
      const collection = transaction.createCollection(namespace, { options, ...compression });
      if (index !== undefined) transaction.createIndex(collection, index.spec);
      return (commitNumber) => {
        model.commitCatalog(commitNumber, { from: undefined, to: namespace, options });
        if (index === undefined) return;
        const knowledge = { isReady: true, since: commitNumber };
        model.state.get(namespace)?.indexes.set(index.name, knowledge);
      };
    });
  }

  async dropCollection(): Promise<void> {
    const { model } = this.context;
    const namespace = this.someNamespace();
    if (namespace === undefined) return;
    await this.change((transaction) => {
      transaction.dropCollection(describe(transaction, namespace));
      return (commitNumber) =>
        model.commitCatalog(commitNumber, { from: namespace, to: undefined });
    });
  }

  async renameCollection(): Promise<void> {
    const { model } = this.context;
    const from = this.someNamespace();
    const to = this.freeNamespace();
    if (from === undefined || to === undefined) return;
    await this.change((transaction) => {
      transaction.renameCollection(describe(transaction, from), to);
      return (commitNumber) => model.commitCatalog(commitNumber, { from, to });
    });
  }

  async modifyCollection(): Promise<void> {
    const { model, random } = this.context;
    const namespace = this.someNamespace();
    if (namespace === undefined) return;
    const options = randomOptions(random);
    await this.change((transaction) => {
      transaction.modifyCollection(describe(transaction, namespace), options);
      return (commitNumber) => model.commitOptions(commitNumber, namespace, options);
    });
  }

  async dropIndex(): Promise<void> {
    const { model } = this.context;
    await this.change((transaction) => {
      const collection = this.context.anyOf(transaction.collections());
      const index = this.context.anyOf(collection?.indexes.slice(1) ?? []);
      if (collection === undefined || index === undefined) return () => {};
      transaction.dropIndex(collection, index);
      return (commitNumber) => {
        model.commitNothing(commitNumber);
        const known = model.state.get(collection.namespace)?.indexes;
        // A build that waits may make it anew, at any time.
        if (this.building.has(index.name)) known?.delete(index.name);
        else known?.set(index.name, { isReady: false, since: commitNumber });
      };
    });
  }

  /** Runs beside what follows. */
  buildIndex(): void {
    const { counts, engine, model } = this.context;
    const view = engine.snapshot();
    const collection = this.context.anyOf(view.collections());
    view.close();
    if (collection === undefined) return;
    const index = this.context.anyOf(INDEX_SPECS);
    if (index === undefined || collection.indexes.some(({ name }) => name === index.name)) return;
    counts.builds += 1;
    const target = model.state.get(collection.namespace);
    // It is made for whichever collection has the name by then.
    for (const { indexes } of model.state.values()) indexes.delete(index.name);
    this.building.add(index.name);
    const built = engine.buildIndexes(collection.namespace, [index.spec], uninterruptible);
    this.context.inBackground(
      built.then(() => this.noteBuilt(index.name, collection.uuid, target)),
      'the index build failed',
    );
  }

  /**
   * Whoever sees it ready once finds it ready from there on. It may not be: dropped by now, or made for another collection
   * that took the name while the build waited.
   */
  private noteBuilt(name: string, uuid: CollectionUuid, target: ModelCollection | undefined): void {
    const { engine, world } = this.context;
    if (world.isDark || target === undefined) return;
    const view = engine.snapshot();
    const indexes = view.collectionByUuid(uuid)?.indexes ?? [];
    if (indexes.some((index) => index.name === name && index.ready)) {
      target.indexes.set(name, { isReady: true, since: view.commitNumber });
    }
    view.close();
  }

  /** @param act makes the change. @returns (from act) how the model learns of it once it is committed */
  private async change(act: (transaction: Transaction) => (commitNumber: number) => void) {
    const { counts, engine, world } = this.context;
    const transaction = engine.begin();
    try {
      const note = act(transaction);
      note(transaction.commit());
      counts.catalogChanges += 1;
    } catch (error) {
      this.context.survives(error, transaction);
    }
    await world.run(1);
  }

  private freeNamespace(): string | undefined {
    const { state } = this.context.model;
    return this.context.anyOf(NAMESPACES.filter((name) => !state.has(name)));
  }

  private someNamespace(): string | undefined {
    return this.context.anyOf([...this.context.model.state.keys()]);
  }
}

function describe(view: ReadView, namespace: string): CollectionDescription {
  const collection = view.collection(namespace);
  if (collection === undefined) throw new Error(`${namespace} is not there`);
  return collection;
}

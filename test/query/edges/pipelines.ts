/**
 * Tables over pipelines: the input is a list, and its members are the fields `v` of documents.
 */
import { BSON } from 'mongodb';
import { bytes, type Plain, TestStore } from '../executor/store.ts';
import {
  type Line,
  MISSING,
  outcomeOfAsync,
  shown,
  shownDocument,
  shownField,
  type Table,
} from './edge.ts';

/** One store for the tables of a file; opened by the first of them. */
export class PipelineStore {
  private store: Promise<TestStore> | undefined;

  /** The results of a pipeline, or the code of its refusal. */
  run(pipeline: readonly Plain[], show: (document: Buffer) => string): Promise<string> {
    return outcomeOfAsync(async () => {
      const store = await this.opened();
      return (await store.aggregateRaw(pipeline)).map(show).join(' ');
    });
  }

  private opened(): Promise<TestStore> {
    this.store ??= openStore();
    return this.store;
  }

  async close(): Promise<void> {
    await (await this.store)?.close();
  }
}

/** A collection that pipelines begin with, which is empty, and one that others are looked up in. */
async function openStore(): Promise<TestStore> {
  const store = await TestStore.open([]);
  await store.add('test.others', OTHERS);
  return store;
}

/** What is looked up: each with its own edge in `k`. */
const OTHERS: readonly Plain[] = [
  { _id: 'null', k: null },
  { _id: 'missing' },
  { _id: 'one', k: 1 },
  { _id: 'list', k: [1, null] },
  { _id: 'nested', k: [[1]] },
  { _id: 'empty', k: [] },
  { _id: 'NaN', k: new BSON.Double(Number.NaN) },
  { _id: 'zero', k: new BSON.Double(-0) },
  { _id: 'long', k: BSON.Long.MAX_VALUE },
  { _id: 'int', k: 2147483647 },
  { _id: 'infinite', k: BSON.Decimal128.fromString('Infinity') },
];

/** A stage that brings documents with these values, under their positions as _id. */
export function documentsOf(values: readonly unknown[]): Plain {
  const $documents = values.map((v, _id) => (v === MISSING ? { _id } : { _id, v }));
  return { $unionWith: { pipeline: [{ $documents: { $literal: $documents } }] } };
}

/** The results of a line as a list of values, or a refusal. */
export function shownValues(result: unknown): string {
  return Array.isArray(result) ? result.map(shown).join(' ') : shown(result);
}

/** The results of a line as documents, or a refusal. */
export function shownDocuments(result: unknown): string {
  if (!Array.isArray(result)) return shown(result);
  return result.map((document: Plain) => shownDocument(bytes(document))).join(' ');
}

/** What an accumulator makes of a group whose documents have these values. */
export function accumulating(
  store: PipelineStore,
  accumulator: Plain,
  lines: readonly Line[],
): Table {
  return {
    operator: Object.keys(accumulator)[0]!,
    title: BSON.EJSON.stringify(accumulator),
    lines,
    lists: true,
    run: async (input) => [
      await store.run(
        [documentsOf(input as unknown[]), { $group: { _id: null, v: accumulator } }],
        shownField,
      ),
    ],
  };
}

/** Lines whose input is the argument of an accumulator, over one document with v: 1. */
export function accumulatedBy(
  store: PipelineStore,
  operator: string,
  accumulator: (input: unknown) => Plain,
  lines: readonly Line[],
): Table {
  return {
    operator,
    title: `${BSON.EJSON.stringify(accumulator('...'))} with the argument`,
    lines,
    run: async (input) => [
      await store.run(
        [documentsOf([1]), { $group: { _id: null, v: accumulator(input) } }],
        shownField,
      ),
    ],
  };
}

/** What a window operator makes of documents that are sorted by their _id, one value for each. */
export function windowed(store: PipelineStore, output: Plain, lines: readonly Line[]): Table {
  return {
    operator: Object.keys(output)[0]!,
    title: BSON.EJSON.stringify(output),
    lines,
    lists: true,
    show: shownValues,
    run: async (input) => [await store.run(windowPipeline(input as unknown[], output), shownField)],
  };
}

function windowPipeline(values: readonly unknown[], output: Plain, sortBy: Plain = { _id: 1 }) {
  return [
    documentsOf(values),
    { $setWindowFields: { sortBy, output: { r: output } } },
    { $sort: { _id: 1 } },
    { $project: { _id: 0, v: '$r' } },
  ];
}

/** What a window operator makes of documents that are sorted by the input itself; given in their first order. */
export function windowedBySelf(
  store: PipelineStore,
  output: Plain,
  lines: readonly Line[],
  sortBy: Plain = { v: 1 },
): Table {
  return {
    operator: Object.keys(output)[0]!,
    title: `${BSON.EJSON.stringify(output)} sorted by v`,
    lines,
    lists: true,
    show: shownValues,
    run: async (input) => [
      await store.run(windowPipeline(input as unknown[], output, sortBy), shownField),
    ],
  };
}

/** Lines whose input is the argument of a window operator, over documents with v: 1, 2. */
export function windowedWith(
  store: PipelineStore,
  operator: string,
  output: (input: unknown) => Plain,
  lines: readonly Line[],
): Table {
  return {
    operator,
    title: `${BSON.EJSON.stringify(output('...'))} with the argument`,
    lines,
    show: shownValues,
    run: async (input) => [await store.run(windowPipeline([1, 2], output(input)), shownField)],
  };
}

/** The documents that a pipeline makes of documents with these values. */
export function staged(
  store: PipelineStore,
  stages: readonly Plain[],
  lines: readonly Line[],
  operator: string = Object.keys(stages[0]!)[0]!,
): Table {
  return {
    operator,
    title: BSON.EJSON.stringify(stages),
    lines,
    lists: true,
    show: shownDocuments,
    run: async (input) => [
      await store.run([documentsOf(input as unknown[]), ...stages], shownDocument),
    ],
  };
}

/** What a stage with the input as its argument makes of the documents {_id: 0, v: 1} and {_id: 1, v: 2}. */
export function stagedWith(
  store: PipelineStore,
  operator: string,
  stages: (input: unknown) => readonly Plain[],
  lines: readonly Line[],
): Table {
  return {
    operator,
    title: `${BSON.EJSON.stringify(stages('...'))} with the argument`,
    lines,
    show: shownDocuments,
    run: async (input) => [await store.run([documentsOf([1, 2]), ...stages(input)], shownDocument)],
  };
}

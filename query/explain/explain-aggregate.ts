/**
 * Explain of a pipeline: that of its find alone when nothing is left, else `stages` with the find as $cursor.
 */
import {
  ArrayBuilder,
  DocumentBuilder,
  FieldCursor,
  int64Value,
  stringValue,
} from '../../bson/index.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { ExplainVerbosity, QueryPlan } from '../planner/query-plan.ts';
import type { StageAccount } from '../planner/stage-accounts.ts';
import type { PipelineStage } from '../stage/definition.ts';
import type { MaybePromise, ReadView } from '../../storage/index.ts';

export interface ExplainRun {
  readonly verbosity: ExplainVerbosity;
  readonly view: ReadView;
  readonly interruption: Interruption;
  /** What each stage did, when the pipeline ran. */
  readonly accounts?: readonly StageAccount[];
}

export function explainAggregate(
  find: QueryPlan | undefined,
  stages: readonly PipelineStage[],
  run: ExplainRun,
): MaybePromise<Buffer> {
  const { verbosity, view, interruption } = run;
  if (find === undefined) return stagesDocument(undefined, stages, run);
  const explained = find.explain(verbosity, view, interruption);
  if (stages.length === 0) return explained;
  return explained instanceof Promise
    ? explained.then((document) => stagesDocument(document, stages, run))
    : stagesDocument(explained, stages, run);
}

function stagesDocument(
  cursor: Buffer | undefined,
  stages: readonly PipelineStage[],
  { accounts }: ExplainRun,
): Buffer {
  const list = new ArrayBuilder();
  // The search for the nearest stands in the place of its stage.
  const isNear = stages[0]?.nature.kind === 'geoNear';
  const cursorName = isNear ? '$geoNearCursor' : '$cursor';
  if (cursor !== undefined) {
    list.pushDocument(
      new DocumentBuilder().appendDocument(cursorName, withoutVersion(cursor)).finish(),
    );
  }
  stages.forEach((stage, position) => {
    if (isNear && position === 0) return;
    const builder = new DocumentBuilder().appendElementsOf(stage.shown);
    showAccount(builder, accounts?.[position]);
    list.pushDocument(builder.finish());
  });
  const builder = new DocumentBuilder();
  builder.appendString('explainVersion', '1');
  builder.appendArray('stages', list.finish());
  return builder.finish();
}

function showAccount(builder: DocumentBuilder, account: StageAccount | undefined): void {
  if (account === undefined) return;
  if (account.hasPlans) {
    const { docsExamined, keysExamined } = account.statistics;
    builder.append('totalDocsExamined', int64Value(BigInt(docsExamined)));
    builder.append('totalKeysExamined', int64Value(BigInt(keysExamined)));
    builder.append('collectionScans', int64Value(BigInt(account.collectionScans)));
    const names = new ArrayBuilder();
    for (const name of account.indexesUsed) names.push(stringValue(name));
    builder.appendArray('indexesUsed', names.finish());
  }
  builder.append('nReturned', int64Value(BigInt(account.returned)));
}

function withoutVersion(document: Buffer): Buffer {
  const builder = new DocumentBuilder();
  const cursor = new FieldCursor(document);
  while (cursor.next()) {
    if (cursor.nameIs('explainVersion')) continue;
    builder.appendElementBytes(document, cursor.elementStart, cursor.valueEnd);
  }
  return builder.finish();
}

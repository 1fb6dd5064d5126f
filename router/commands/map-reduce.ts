/**
 * mapReduce and filemd5 through the router: on the shard that has all, or in the router over what the shards give.
 */
import { documentOf, EMPTY_DOCUMENT } from '../../bson/index.ts';
import { md5OfChunks, mapReduceOver, parseFilemd5, parseMapReduce } from '../../server/cluster.ts';
import type { ReplyBody } from '../../server/cluster.ts';
import { openRoutedPipeline } from '../merge/pipeline-run.ts';
import { databaseOf } from '../network/read-all.ts';
import { primaryTarget, withRoute } from '../routing/collection-route.ts';
import { askAll } from './ask-shards.ts';
import type { Call } from './routed-command.ts';
import { passedOn } from './shard-reply.ts';

export function runMapReduce(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const request = parseMapReduce(body);
  body.rejectUnknownFields();
  const { namespace, out, collation, scope } = request;
  op.namespace = namespace;
  return withRoute(router, op, namespace, async (route) => {
    const target =
      out.kind === 'inline'
        ? undefined
        : `${out.database ?? databaseOf(namespace)}.${out.collection}`;
    const isLocal = target === undefined || databaseOf(target) === databaseOf(namespace);
    const isTargetSharded =
      target !== undefined && (await router.routing.collection(target, op)) !== undefined;
    if (route !== undefined && route.sharded === undefined && isLocal && !isTargetSharded) {
      const [answer] = await askAll(call, [await primaryTarget(router, op, route)]);
      return answer === undefined ? {} : passedOn(answer.reply);
    }
    return mapReduceOver(request, (pipeline) =>
      openRoutedPipeline(router, op, {
        namespace,
        pipeline,
        collation,
        variables: undefined,
        hint: undefined,
        allowDiskUse: undefined,
        batchSize: undefined,
        bypassValidation: request.bypassValidation,
        further: EMPTY_DOCUMENT,
        mapReduce: { scope },
      }),
    );
  });
}

export function runFilemd5(call: Call): Promise<ReplyBody> {
  const { router, op, body } = call;
  const { namespace, file } = parseFilemd5(body);
  op.namespace = namespace;
  return withRoute(router, op, namespace, async () => {
    const pipeline = [
      documentOf({ $match: documentOf({ files_id: file }) }),
      documentOf({ $sort: documentOf({ files_id: 1, n: 1 }) }),
    ];
    const chunks = await openRoutedPipeline(router, op, {
      namespace,
      pipeline,
      collation: undefined,
      variables: undefined,
      hint: undefined,
      allowDiskUse: undefined,
      batchSize: undefined,
      bypassValidation: false,
      further: EMPTY_DOCUMENT,
    });
    return md5OfChunks(chunks);
  });
}

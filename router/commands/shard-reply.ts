/**
 * A shard's reply as the router's own.
 */
import { DocumentBuilder, fieldsOf } from '../../bson/index.ts';
import type { ReplyBody } from '../../server/cluster.ts';

const OWN_FIELDS: ReadonlySet<string> = new Set(['ok', '$clusterTime', 'operationTime']);

/** What the shard said, without what every reply is given anew. */
export function passedOn(reply: Buffer): ReplyBody {
  const out = new DocumentBuilder(reply.length);
  for (const [name, value] of fieldsOf(reply)) {
    if (!OWN_FIELDS.has(name)) out.append(name, value);
  }
  return out.finish();
}

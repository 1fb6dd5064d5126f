/**
 * What the server itself gives to new documents: object ids, and times for empty timestamps.
 */
import { ObjectIdGenerator } from '../../bson/index.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { DocumentStamps } from './stored-document.ts';

export function createDocumentStamps(clock: Clock, random: Random): DocumentStamps {
  let seconds = 0;
  let increment = 0;
  return {
    objectIds: new ObjectIdGenerator(clock, random),
    nextTimestamp() {
      // The clock may step back; no two timestamps may be equal all the same.
      const now = Math.floor(clock.wallMs() / 1000);
      increment = now > seconds ? 1 : increment + 1;
      seconds = Math.max(seconds, now);
      return { seconds, increment };
    },
  };
}

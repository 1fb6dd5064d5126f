/**
 * A cursor as a stream of lines, one document each.
 *
 * Promises: the next batch is asked for when the client has taken the last one; a client that leaves, or takes nothing for a
 * minute, ends the cursor. An error after the first line is a last line `{"$error": <problem>}`, and the connection breaks: a
 * stream that ended well is whole.
 */
import { sleep, type Clock, type TimerHandle } from '../../common/clock.ts';
import type { CursorReader } from './cursor-reader.ts';
import type { Format } from './formats/formats.ts';
import type { Problem } from './problem.ts';

/** A client that takes nothing for so long is gone, milliseconds. */
const STALL_MS = 60_000;
/** Between two looks at the end of a tailable cursor that does not wait by itself, milliseconds. */
const TAIL_MS = 50;

/** For the last line to leave before the connection breaks, milliseconds. */
const LAST_LINE_MS = 20;

export interface LineSource {
  readonly cursor: CursorReader;
  readonly format: Format;
  readonly clock: Clock;
  readonly problemOf: (error: unknown) => Problem;
  readonly disconnect: () => void;
}

export function documentLines(source: LineSource): ReadableStream<Uint8Array> {
  const { cursor, clock } = source;
  let stall: TimerHandle | undefined;
  let isBroken = false;
  const watch = (): void => {
    stall = clock.after(STALL_MS, () => {
      void cursor.close();
      source.disconnect();
    });
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        stall?.cancel();
        if (isBroken) {
          await sleep(clock, LAST_LINE_MS);
          controller.error(new Error('the cursor failed'));
          return;
        }
        try {
          const lines = await nextLines(source);
          if (lines === undefined) controller.close();
          else {
            controller.enqueue(lines);
            watch();
          }
        } catch (error) {
          isBroken = true;
          const line = JSON.stringify({ $error: source.problemOf(error) });
          controller.enqueue(Buffer.from(`${line}\n`));
          await cursor.close();
        }
      },
      async cancel() {
        stall?.cancel();
        await cursor.close();
      },
    },
    { highWaterMark: 0 },
  );
}

/** A batch that is not empty; undefined at the end. */
async function nextLines({ cursor, format, clock }: LineSource): Promise<Buffer | undefined> {
  for (;;) {
    const documents = await cursor.next();
    if (documents === undefined) return undefined;
    if (documents.length === 0) {
      await sleep(clock, TAIL_MS);
      continue;
    }
    return Buffer.from(
      documents.map((document) => `${String(format.encode(document))}\n`).join(''),
    );
  }
}

/**
 * A process that tries to lock directories, several times at once, whenever it is told to; it reports how often it won,
 * and lets go when told so.
 */
import { CommandError } from '../../../common/errors.ts';
import { lockDbpath, type DbpathLock } from '../../../storage/recovery/dbpath-lock.ts';

const ATTEMPTS = 4;
let held: DbpathLock[] = [];

async function contend(dbpath: string): Promise<number> {
  const attempts = Array.from({ length: ATTEMPTS }, () => lockDbpath(dbpath));
  for (const outcome of await Promise.allSettled(attempts)) {
    if (outcome.status === 'fulfilled') held.push(outcome.value);
    else if (!(outcome.reason instanceof CommandError)) throw outcome.reason;
  }
  return held.length;
}

process.on('message', (message: { readonly lock?: string }) => {
  const answer = (wins: number): void => {
    process.send?.({ wins });
  };
  if (message.lock !== undefined) {
    void contend(message.lock).then(answer);
    return;
  }
  const released = held.map((lock) => lock.release());
  held = [];
  void Promise.all(released).then(() => answer(0));
});
process.send?.({ wins: 0 });

/**
 * A process that locks the directory named by its argument, says so, and waits to be killed.
 */
import { lockDbpath } from '../../../storage/recovery/dbpath-lock.ts';

const dbpath = process.argv[2];
if (dbpath === undefined) throw new Error('no directory');
await lockDbpath(dbpath);
console.log('locked');
setInterval(() => {}, 1000);

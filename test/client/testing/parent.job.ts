/** A program that starts a server, says where it is, and waits to be killed. */
import { startServer } from '../../../client/index.ts';

const { dbPath, pid } = await startServer({ inProcess: process.argv.includes('inProcess') });
process.stdout.write(`${JSON.stringify({ dbPath, pid })}\n`);
setInterval(() => {}, 60_000);

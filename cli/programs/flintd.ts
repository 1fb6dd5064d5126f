/**
 * flintd, the storage server: options -> parts -> run -> close in reverse order.
 *
 * On standard output stands one line of JSON when the server is ready ({"ready":true,"port":…,"pid":…}), nothing else but, with
 * --firstSteps, what to type next. The log goes to standard error or to --logpath. SIGTERM and SIGINT stop it cleanly, exit code 0.
 */
import { FLINTD_OPTIONS, flintdOptionsFrom } from '../../server/index.ts';
import { runProgram } from './server-command-line.ts';

void runProgram({
  name: 'flintd',
  usage: `flintd, the storage server of FlintDB: speaks MongoDB's wire protocol.

  flintd --dbpath <directory> [--port <port>] [options]
  flintd --config <file.yaml>`,
  table: FLINTD_OPTIONS,
  run: async (given, invocation) => {
    const options = flintdOptionsFrom(given);
    const { runFlintd } = await import('./run-flintd.ts');
    return runFlintd(options, invocation);
  },
});

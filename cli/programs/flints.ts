/**
 * flints, the query router: the front of a cluster, which applications use as they use one server.
 *
 * Ready line, log and signals as flintd's. It keeps nothing: any number of them run side by side.
 */
import { FLINTS_OPTIONS, flintsOptionsFrom } from '../../router/index.ts';
import { runProgram } from './server-command-line.ts';

void runProgram({
  name: 'flints',
  usage: `flints, the query router of FlintDB: speaks MongoDB's wire protocol for a whole cluster.

  flints --configdb <host:port> [--port <port>] [options]
  flints --config <file.yaml>`,
  table: FLINTS_OPTIONS,
  run: async (given, invocation) => {
    const options = flintsOptionsFrom(given);
    const { runFlints } = await import('./run-flints.ts');
    return runFlints(options, invocation);
  },
});

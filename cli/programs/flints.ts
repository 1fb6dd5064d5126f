/**
 * flints, the query router. This version has the program and its options' names, and no routing yet: it says so and ends.
 */
import { EXIT } from './exit-codes.ts';
import { refuseToRun, type ProgramDescription } from './not-yet.ts';

const FLINTS: ProgramDescription = {
  name: 'flints',
  usage: `flints, the query router of FlintDB.

  flints --help | --version

Routing over several shards comes with a later version. Until then connect clients to flintd itself.`,
  sentence:
    'routing over several shards comes with a later version of FlintDB; connect clients to flintd itself.',
};

process.exitCode = refuseToRun(FLINTS, process.argv.slice(2), EXIT.notSupported);

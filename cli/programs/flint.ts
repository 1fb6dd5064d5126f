/**
 * flint, the tool for people: local clusters, backup, import and the like. This version has no subcommand yet: it says so and ends.
 */
import { EXIT } from './exit-codes.ts';
import { refuseToRun, type ProgramDescription } from './not-yet.ts';

const FLINT: ProgramDescription = {
  name: 'flint',
  usage: `flint, the command line tool of FlintDB (also called flintdb).

  flint --help | --version

Its subcommands (up, status, down, backup, restore, verify, import, export, …) come with a later version.
Start a server with:  flintd --dbpath <directory>`,
  sentence:
    'subcommands come with a later version of FlintDB; start a server with: flintd --dbpath <directory>',
};

process.exitCode = refuseToRun(FLINT, process.argv.slice(2), EXIT.notSupported);

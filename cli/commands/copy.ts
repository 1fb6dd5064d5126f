/**
 * `flint copy`: copies what a running MongoDB or FlintDB has to another server: documents, indexes, options, views.
 *
 * Promises: reads only at the source; writes over nothing at the target unless told to; memory for a few batches.
 */
import type { BaseClient } from '../../client/index.ts';
import { withClient } from '../command-line/connect.ts';
import { givenList } from '../command-line/given-list.ts';
import { namespaceFilter } from '../command-line/namespace-filter.ts';
import { documentText, Progress } from '../command-line/progress.ts';
import { FailedCommand, type Subcommand } from '../command-line/subcommand.ts';
import { EXIT } from '../programs/exit-codes.ts';
import { copyDocuments } from '../transfer/copy-documents.ts';
import { NamespaceLoader } from '../transfer/namespace-loader.ts';
import { listNamespaces, type NamespaceDescription } from '../transfer/namespaces.ts';
import type { GivenOptions } from '../../server/index.ts';

const GROUP = 'Copy';

export const copy: Subcommand = {
  name: 'copy',
  summary: 'Copies a running MongoDB or FlintDB to another server.',
  positionals: ['from-uri', 'to-uri'],
  description: `Copies collections with their documents, indexes and options, time series and views from one running server to
another. What the target has already is not written over: with --drop it is dropped first. Each collection
is copied as it is when its turn comes; what is written to the source meanwhile may or may not be copied.
Users, roles and the databases admin, config and local stay behind, as far as they are the server's own.
Exit code: 0 copied, 1 it could not be done, or the target refused documents.

Examples:
  flint copy mongodb://old.example:27017 mongodb://localhost:27017
  flint copy mongodb://old.example mongodb://localhost --nsInclude 'shop.*' --nsExclude 'shop.log*'`,
  options: [
    { flag: 'help', short: 'h', type: 'switch', group: GROUP, help: 'Shows this text.' },
    {
      flag: 'nsInclude',
      type: 'list',
      value: '<pattern>[,<pattern>]',
      group: GROUP,
      help: "Only these namespaces; * stands for anything: 'shop.*'. Default all.",
    },
    {
      flag: 'nsExclude',
      type: 'list',
      value: '<pattern>[,<pattern>]',
      group: GROUP,
      help: 'Without these namespaces.',
    },
    {
      flag: 'drop',
      type: 'switch',
      group: GROUP,
      help: 'Drops each collection at the target before it is copied.',
    },
    { flag: 'noIndexes', type: 'switch', group: GROUP, help: 'Copies no index but that on _id.' },
    {
      flag: 'stopOnError',
      type: 'switch',
      group: GROUP,
      help: 'Stops at the first document that the target refuses.',
    },
    { flag: 'quiet', type: 'switch', group: GROUP, help: 'Shows no progress.' },
    { flag: 'json', type: 'switch', group: GROUP, help: 'Prints a summary as one line of JSON.' },
  ],
  run(given, [from, to]) {
    const filter = namespaceFilter(givenList(given, 'nsInclude'), givenList(given, 'nsExclude'));
    return withClient(from, (source) =>
      withClient(to, async (target) => {
        await refuseSameServer(source, target);
        const namespaces = await listNamespaces(source, filter);
        if (namespaces.length === 0) throw new FailedCommand('there is nothing to copy.');
        return copyAll(source, target, namespaces, given);
      }),
    );
  },
};

async function copyAll(
  source: BaseClient,
  target: BaseClient,
  namespaces: readonly NamespaceDescription[],
  given: GivenOptions,
): Promise<number> {
  const progress = new Progress({ quiet: given.get('quiet') === true });
  const loader = new NamespaceLoader(target, {
    drop: given.get('drop') === true,
    stopOnError: given.get('stopOnError') === true,
    indexes: given.get('noIndexes') !== true,
    progress,
  });
  await loader.prepare(namespaces);
  for (const namespace of namespaces) {
    if (namespace.kind !== 'view') await copyDocuments(source, namespace, loader);
    await loader.finish(namespace);
  }
  const { documents, refused } = loader;
  progress.say(
    `${documentText(documents)} in ${namespaces.length} ${namespaces.length === 1 ? 'namespace' : 'namespaces'} copied, ${refused} refused.`,
  );
  if (given.get('json') === true) {
    process.stdout.write(
      `${JSON.stringify({ namespaces: namespaces.length, documents, refused })}\n`,
    );
  }
  return refused === 0 ? EXIT.clean : EXIT.failed;
}

/** --drop with twice the same server would drop what is to be copied. */
async function refuseSameServer(source: BaseClient, target: BaseClient): Promise<void> {
  const [one, other] = await Promise.all([identityOf(source), identityOf(target)]);
  if (one === undefined || one !== other) return;
  throw new FailedCommand('both connection strings lead to the same server.');
}

/** The same for all connections to one process, and to one replica set; undefined where the server does not tell. */
async function identityOf(client: BaseClient): Promise<string | undefined> {
  const { topologyVersion, setName } = await client.db('admin').command({ hello: 1 });
  const processId: unknown = topologyVersion?.processId;
  return processId === undefined ? undefined : JSON.stringify([setName, processId]);
}

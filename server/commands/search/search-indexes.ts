/**
 * The commands of search indexes, which a server without a search engine beside it refuses.
 * Source: MongoDB's manual, "Atlas Search Commands"; the answers of mongod 8.0 without one.
 */
import type { Command } from '../../command/define-command.ts';
import { defineRefusal } from '../../command/define-refusal.ts';

function onlyWithSearch(name: string, help: string): Command {
  return defineRefusal({
    name,
    help,
    access: { action: name, on: 'collection' },
    route: 'primaryShard',
    onCollection: true,
    code: 'SearchNotEnabled',
    message:
      'Using Atlas Search Database Commands and the $listSearchIndexes aggregation stage requires additional configuration. ' +
      'Please connect to Atlas or an AtlasCLI local deployment to enable. For more information on how to connect, see ' +
      'https://dochub.mongodb.org/core/atlas-cli-deploy-local-reqs.',
  });
}

export const createSearchIndexes = onlyWithSearch('createSearchIndexes', 'Creates search indexes.');
export const dropSearchIndex = onlyWithSearch('dropSearchIndex', 'Drops a search index.');
export const listSearchIndexes = onlyWithSearch('listSearchIndexes', 'Lists search indexes.');
export const updateSearchIndex = onlyWithSearch('updateSearchIndex', 'Changes a search index.');

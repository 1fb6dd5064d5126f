/**
 * docs/compatibility.md as text.
 */
import { MONGODB_VERSION } from '../../../server/version.ts';
import { featuresOf, type Feature, type Group } from './group.ts';
import { QUERY_GROUPS } from './query-groups.ts';
import { COMMAND_GROUP, SERVER_GROUPS } from './server-groups.ts';

export const COMPATIBILITY_DOCUMENT = 'docs/compatibility.md';

export const GROUPS: readonly Group[] = [COMMAND_GROUP, ...QUERY_GROUPS, ...SERVER_GROUPS];

const [MAJOR, MINOR] = MONGODB_VERSION.split('.');

const INTRODUCTION = `# Compatibility

What MongoDB ${MAJOR}.${MINOR} has, and whether FlintDB has it. Generated from the definitions by \`npm run compatibility\`: change those,
not this page. A test fails when it is older than they are.

- **works**: it is defined and accepted. What it does in each case is the matter of its tests.
- **refused by name**: a request that uses it gets the error in the note.
- Of a group's count, N of M: M are MongoDB's names, N of them work. Names that only FlintDB has are marked and not counted.`;

export function renderCompatibility(): string {
  const groups = GROUPS.map((group) => ({ group, features: featuresOf(group) }));
  const overview = [
    '| group | works |',
    '|---|---|',
    ...groups.map(({ group, features }) => {
      const anchor = group.title.toLowerCase().replaceAll(' ', '-');
      return `| [${group.title}](#${anchor}) | ${countLine(features)} |`;
    }),
  ];
  const sections = groups.map(({ group, features }) => section(group, features));
  return [INTRODUCTION, overview.join('\n'), ...sections].join('\n\n') + '\n';
}

function section(group: Group, features: readonly Feature[]): string {
  return [
    `## ${group.title}`,
    '',
    `${countLine(features)}.`,
    '',
    '| name | state | note |',
    '|---|---|---|',
    ...features.map(line),
  ].join('\n');
}

function countLine(features: readonly Feature[]): string {
  const mongodb = features.filter(({ isMongoDB }) => isMongoDB);
  return `${mongodb.filter(({ support }) => support.works).length} of ${mongodb.length}`;
}

function line({ name, support, isMongoDB }: Feature): string {
  const notes = [support.note, isMongoDB ? '' : '(only FlintDB)'].filter((note) => note !== '');
  const note = notes.join(' ').replaceAll('|', '\\|');
  return `| \`${name}\` | ${support.works ? 'works' : 'refused by name'} | ${note} |`;
}

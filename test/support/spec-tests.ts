/**
 * Where the specification tests lie that the project shares with others: they are not part of it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** FLINT_SPEC_TESTS, or ../shared/spec-tests beside the project. */
export const SPEC_TESTS =
  process.env['FLINT_SPEC_TESTS'] ??
  fileURLToPath(new URL('../../../shared/spec-tests', import.meta.url));

/** A folder of them, or undefined when it is not there. */
export function specFolder(name: string): string | undefined {
  const folder = join(SPEC_TESTS, name);
  return existsSync(folder) ? folder : undefined;
}

/** What a skipped test says. */
export const SPEC_TESTS_ABSENT = `there is no ${SPEC_TESTS}: FLINT_SPEC_TESTS names the folder of the specification tests`;

/**
 * Reads files of the Unified Test Format, and refuses those that break it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EJSON } from 'bson';
import { SPEC_TESTS } from '../../support/spec-tests.ts';
import { MalformedCaseError, type TestFile } from './format.ts';
import { violationOf } from './json-schema.ts';

/** Of the schema that this runner knows; files of an older minor version are files of this one, too. */
const SCHEMA_MAJOR = 1;
const SCHEMA_MINOR = 28;

let schema: Record<string, unknown> | undefined;

/**
 * @throws MalformedCaseError when the file is of another version of the format, or not as its schema says.
 */
export function loadTestFile(path: string): TestFile {
  const text = readFileSync(path, 'utf8');
  const json = JSON.parse(text) as { readonly schemaVersion?: unknown };
  schema ??= readSchema();
  const violation = violationOf(json, schema);
  if (violation !== undefined) throw new MalformedCaseError(violation);
  checkVersion(String(json.schemaVersion));
  // Checked against the schema above: that is what makes this a TestFile.
  return EJSON.parse(text) as TestFile;
}

function checkVersion(version: string): void {
  const [major, minor] = version.split('.').map(Number);
  if (major === SCHEMA_MAJOR && minor <= SCHEMA_MINOR) return;
  throw new MalformedCaseError(`version ${version} of the format is not known`);
}

function readSchema(): Record<string, unknown> {
  const path = join(SPEC_TESTS, 'unified-test-format', 'schema-latest.json');
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

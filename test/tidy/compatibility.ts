/**
 * Writes docs/compatibility.md: npm run compatibility.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPATIBILITY_DOCUMENT, renderCompatibility } from './compatibility/document.ts';
import { PROJECT_ROOT } from './source-tree.ts';

writeFileSync(join(PROJECT_ROOT, COMPATIBILITY_DOCUMENT), renderCompatibility());

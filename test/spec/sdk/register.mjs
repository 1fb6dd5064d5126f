/**
 * Makes `mongodb` mean FlintDB's own SDK, for a process that is started with it:
 *
 *   npx tsx --import ./test/spec/sdk/register.mjs test/spec/index.ts
 *   npx mocha --import ./test/spec/sdk/register.mjs "test/integration/**\/*.test.ts"
 */
import { register } from 'node:module';

register('./resolve.mjs', import.meta.url);

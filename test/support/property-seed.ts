/**
 * Property tests draw the same cases at each run, so that whether a commit passes is no matter of luck.
 *
 * `FLINT_PROPERTY_SEED=random npm test` draws others, and a number draws the ones of that seed; the long runs
 * (`npm run reference`, `simulate`, `oracle`) take seeds of their own.
 */
import fc from 'fast-check';

const DEFAULT_SEED = 20_261_120;

const wanted = process.env['FLINT_PROPERTY_SEED'] ?? String(DEFAULT_SEED);
if (wanted !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted) });

/**
 * A real browser without a screen: Chromium, where it is installed (FLINT_CHROMIUM, or Debian's place).
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { removeTemporaryDirectory, temporaryDirectory } from './programs.ts';

const CHROMIUM = process.env['FLINT_CHROMIUM'] ?? '/usr/bin/chromium';
const TIMEOUT_MS = 50_000;
/** How long scripts of a page may run, in its own time, which stands still while it waits for the network. */
const PAGE_MS = 10_000;
const execute = promisify(execFile);

export const hasChromium = existsSync(CHROMIUM);
export const NO_CHROMIUM = `skipped: no Chromium at ${CHROMIUM} (FLINT_CHROMIUM names another)`;

export interface PageOptions {
  /** Names of hosts, as --host-resolver-rules takes them. */
  readonly hosts?: string;
  /** Where a picture of the page is written, in place of its text. */
  readonly screenshot?: string;
}

/** Opens a page and waits for its scripts. @returns the page as HTML, as they left it. */
export async function openInChromium(url: string, options: PageOptions = {}): Promise<string> {
  const profile = temporaryDirectory();
  const { hosts, screenshot } = options;
  try {
    const { stdout } = await execute(
      CHROMIUM,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--no-first-run',
        `--user-data-dir=${profile}`,
        `--virtual-time-budget=${PAGE_MS}`,
        ...(hosts === undefined ? [] : [`--host-resolver-rules=${hosts}`]),
        ...(screenshot === undefined
          ? ['--dump-dom']
          : [`--screenshot=${screenshot}`, '--window-size=900,700']),
        url,
      ],
      { timeout: TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 },
    );
    return stdout;
  } finally {
    removeTemporaryDirectory(profile);
  }
}

/**
 * Names a worker job's file for the sources and for the compiled tree: the extension differs, nothing else.
 */

/**
 * @param moduleUrl `import.meta.url` of the caller
 * @param job path relative to the caller without an extension that differs: './fold.job'
 */
export function jobUrl(moduleUrl: string, job: string): URL {
  const extension = moduleUrl.endsWith('.ts') ? '.ts' : '.js';
  return new URL(job + extension, moduleUrl);
}
